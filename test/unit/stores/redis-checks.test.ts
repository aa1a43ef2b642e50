// What is read out of INFO, without a server.

import { expect, test } from 'vitest';
import type { Redis } from '#src/drivers/redis.js';
import { checkRedis, factsOf } from '#src/stores/ledger/redis-checks.js';

const INFO = [
  '# Server\r\nredis_version:7.0.15\r\narch_bits:64\r\n# Replication\r\nrole:master',
  '# Memory\r\nmaxmemory:1048576\r\nmaxmemory_policy:noeviction',
  '# Persistence\r\naof_enabled:0\r\n',
].join('\r\n');

test('version, role, policy and memory are read from the text of INFO', () => {
  expect(factsOf(INFO, '3600 1')).toEqual({
    version: '7.0.15',
    bits: '64',
    role: 'master',
    evictionPolicy: 'noeviction',
    memoryMaxBytes: 1048576,
    persistence: 'snapshots (3600 1)',
  });
});

test.each([
  ['1', '', 'an append-only file'],
  ['1', '60 1', 'an append-only file and snapshots (60 1)'],
  ['1', undefined, 'an append-only file'],
  ['0', undefined, 'no append-only file; snapshots unknown'],
  ['0', '', 'nothing: after a crash of Redis the ledger is rebuilt from SQL'],
])('append-only %s and save points %s are said in words', (aof, save, words) => {
  const info = INFO.replace('aof_enabled:0', `aof_enabled:${aof}`);
  expect(factsOf(info, save).persistence).toBe(words);
});

test('a build of 32 bits is refused, and one that does not say is taken', async () => {
  const check = (info: string) => checkRedis({ onMasters: async () => [info] } as unknown as Redis);
  const small = INFO.replace('arch_bits:64', 'arch_bits:32');
  await expect(check(small)).rejects.toThrow('32 bits');
  expect((await check(INFO.replace('arch_bits:64', ''))).version).toBe('7.0.15');
});
