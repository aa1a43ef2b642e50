// What is noted of a start of Redis, told by the script itself on a server that writes a log.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { realClock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { childrenOf, type Server, startRedis } from '../../support/programs.js';
import type { RedisGuarantee, RedisSubject } from '../redis-subject.js';

interface Start {
  server: Server;
  redis: Redis;
  run: string;
  outlive(arg?: 'left'): Promise<unknown>;
  /** What is noted: the run and the state of its log. */
  noted(): Promise<unknown>;
  /** As if another start had been noted, with its log like this, and a ledger that is there. */
  before(log: string): Promise<unknown>;
  hasState(): Promise<boolean>;
}

const KEYS = ['{t}:start', '{t}:state'];
const TRIES = 1_000;

function started(
  name: string,
  options: readonly string[],
  check: (start: Start) => Promise<void>,
): RedisGuarantee {
  const run = async ({ scripts }: RedisSubject): Promise<void> => {
    const folder = mkdtempSync(join(tmpdir(), 'purser-start-'));
    const server = await startRedis(folder, [...options]);
    const redis = openRedis({ urls: [server.url], clock: realClock, commandTimeoutMs: 5_000 });
    try {
      await redis.ready(10_000);
      const text = String(await redis.command('info', 'server'));
      await check({
        ...{ server, redis, run: /run_id:(\w+)/.exec(text)![1]! },
        outlive: (arg) => redis.run(scripts.outlive, KEYS, [arg ?? '']),
        noted: () => redis.command('hmget', KEYS[0]!, 'run', 'log'),
        async before(log) {
          await redis.command('hset', KEYS[0]!, 'run', 'another', 'log', log);
          await redis.command('hset', KEYS[1]!, 'epoch', '1');
        },
        hasState: async () => (await redis.command('exists', KEYS[1]!)) === 1,
      });
    } finally {
      await redis.close();
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return { name, check: run };
}

const LOGGING = ['--appendonly', 'yes'];
const SLOWLY = [...LOGGING, '--rdb-key-save-delay', '300000'];

async function untilWritten({ outlive }: Start): Promise<unknown> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const [log] = (await outlive()) as [string];
    if (log !== 'writing') return log;
    await wait(5);
  }
  throw new Error('It was never written.');
}

export const STARTS: readonly RedisGuarantee[] = [
  started('a start is noted with an old log, once', LOGGING, async (start) => {
    const { outlive, noted, run, redis, hasState } = start;
    await redis.command('hset', KEYS[1]!, 'epoch', '1');
    assert.deepEqual(await outlive(), ['old', run]);
    assert.deepEqual(await noted(), [run, 'old']);
    assert.deepEqual(await outlive(), ['old', run]);
    assert.ok(await hasState(), 'it is the same start');
  }),
  started('a start after one whose log was old finds no ledger', LOGGING, async (start) => {
    const { outlive, noted, before, run, hasState } = start;
    for (const log of ['new', 'left']) {
      await before(log);
      assert.deepEqual(await outlive(), ['old', run]);
      assert.deepEqual(await noted(), [run, 'old']);
      assert.ok(await hasState());
    }
    await before('old');
    assert.deepEqual(await outlive(), ['old', run]);
    assert.deepEqual(await noted(), [run, 'old']);
    assert.ok(!(await hasState()));
  }),
  started('a log that is being written is new when it is, and stays so', SLOWLY, async (start) => {
    const { outlive, noted, run, redis, server } = start;
    await redis.command('set', 'a', 'b');
    assert.deepEqual(await outlive(), ['old', run]);
    await redis.command('bgrewriteaof');
    assert.deepEqual(await outlive('left'), ['writing', run]);
    for (const pid of childrenOf(server.pid)) process.kill(pid, 'SIGKILL');
    assert.equal(await untilWritten(start), 'old', 'it was written in part');
    await redis.command('bgsave');
    await redis.command('bgrewriteaof');
    assert.deepEqual(await outlive(), ['writing', run], 'after a snapshot');
    for (const pid of childrenOf(server.pid)) process.kill(pid, 'SIGKILL');
    assert.equal(await untilWritten(start), 'new');
    assert.deepEqual(await noted(), [run, 'new']);
    await redis.command('bgrewriteaof');
    assert.deepEqual(await outlive(), ['new', run]);
  }),
  started('a log that is never written anew is left as it is', LOGGING, async (start) => {
    const { outlive, noted, run } = start;
    assert.deepEqual(await outlive(), ['old', run]);
    assert.deepEqual(await outlive('left'), ['left', run]);
    assert.deepEqual(await noted(), [run, 'left']);
    assert.deepEqual(await outlive(), ['left', run]);
  }),
  started('without a log there is nothing to write anew', [], async (start) => {
    const { outlive, noted, run } = start;
    assert.deepEqual(await outlive('left'), ['new', run]);
    assert.deepEqual(await noted(), [run, 'new']);
  }),
  started('of a Redis that does not tell its run nothing is noted', LOGGING, async (start) => {
    const { outlive, noted, redis } = start;
    await redis.command('acl', 'setuser', 'default', '-info');
    assert.deepEqual(await outlive(), ['unknown', '']);
    assert.deepEqual(await noted(), [null, null]);
  }),
];
