// A crash may tear Redis' log off inside the last script, of which nobody was told. Redis forgets
// that script, yet leaves its half in the log, and would carry it out at its next start but one.

import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import { realClock as clock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { createRedisLedger, type RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { amounts, STUB, sentRecord } from '../support/events.js';
import { type TestLog, testLog } from '../support/log.js';
import { type Server, startRedis } from '../support/programs.js';

const OPTIONS = ['--appendonly', 'yes', '--appendfsync', 'always'];
const TORN_BYTES = 5;
const { lines, stub } = sentRecord('');
const HELD = lines[0]!.amount;

interface Opened {
  redis: Redis;
  ledger: RedisLedger;
  log: TestLog;
}

let folder: string;
let server: Server;
let opened: Opened[] = [];
let folders = 0;

beforeEach(() => {
  folders += 1;
  folder = join(inject('runFolder'), `torn-log-${folders}`);
});
afterEach(async () => {
  for (const { redis } of opened) await redis.close();
  opened = [];
  await server.kill();
});

async function gateway(): Promise<Opened> {
  const log = testLog();
  const redis = openRedis({ urls: [server.url], clock, commandTimeoutMs: 2_000 });
  const ledger = createRedisLedger({ redis, scripts: loadScripts(), clock, log });
  opened.push({ redis, ledger, log });
  await redis.ready(10_000);
  return { redis, ledger, log };
}

async function begin(options: readonly string[] = []): Promise<Opened> {
  server = await startRedis(folder, [...OPTIONS, ...options]);
  const first = await gateway();
  await first.ledger.beginEpoch(1);
  await first.ledger.openAdmission(1);
  return first;
}

async function restart(options: readonly string[] = []): Promise<void> {
  await server.kill();
  server = await startRedis(folder, [...OPTIONS, ...options], server.port);
  for (const { redis } of opened) await redis.ready(10_000);
}

async function reserve(ledger: RedisLedger): Promise<string> {
  const id = uuidV7(ledger.nowMs());
  const request = { id, owner: 'here', lines, leaseMs: 60_000, stub };
  expect((await ledger.reserve(request)).answer).toBe('RESERVED');
  return id;
}

/** Another gateway books, and never hears of it; its script is torn off in the log. */
async function restartTorn(id: string, options: readonly string[] = []): Promise<void> {
  const { ledger, redis } = await gateway();
  await ledger.state();
  const actual = amounts({ nano_usd: 296 });
  const booked = await ledger.finalize({ id, actual, event: { id, stub: STUB } });
  expect(booked.answer).toBe('FINALIZED');
  await redis.close();
  opened.pop();
  await server.kill();
  const log = join(folder, 'appendonlydir');
  const files = readdirSync(log).filter((name) => name.endsWith('.incr.aof'));
  const path = join(log, files.sort().at(-1)!);
  truncateSync(path, statSync(path).size - TORN_BYTES);
  await restart(options);
}

async function counters(ledger: RedisLedger): Promise<{ committed: number; reserved: number }> {
  const [balance] = await ledger.balances(lines);
  const { committed, reserved } = balance!;
  return { committed, reserved };
}

async function persistence(redis: Redis, field: string): Promise<string | undefined> {
  const text = String(await redis.command('info', 'persistence'));
  return new RegExp(`${field}:(\\w+)`).exec(text)?.[1];
}

async function untilWritten({ redis, ledger }: Opened): Promise<void> {
  do await ledger.outliveRestart();
  while (
    (await redis.command('hget', ledger.keys.start, 'log')) !== 'new' &&
    (await sleep(5, true))
  );
}

test('half a script that a crash left in the log is never carried out', async () => {
  const first = await begin();
  const { redis, ledger } = first;
  await untilWritten(first);
  await restartTorn(await reserve(ledger));
  expect((await ledger.state()).open, 'nobody knows that anything is missing').toBe(true);
  await untilWritten(first);
  expect(await persistence(redis, 'aof_rewrites')).toBe('1');
  await ledger.outliveRestart();
  await untilWritten(first);
  expect(await persistence(redis, 'aof_rewrites'), 'once a start').toBe('1');

  await reserve(ledger);
  await restart();
  expect((await ledger.state()).open).toBe(true);
  expect(await counters(ledger)).toEqual({ committed: 0, reserved: 2 * HELD });
}, 60_000);

test('a start before the log was written anew finds the ledger lost, and nothing runs on it', async () => {
  const first = await begin();
  const { ledger } = first;
  await untilWritten(first);
  await restartTorn(await reserve(ledger));
  await reserve(ledger);
  expect(await counters(ledger)).toEqual({ committed: 0, reserved: 2 * HELD });

  await restart();
  const late = { id: uuidV7(ledger.nowMs()), owner: 'here', lines, leaseMs: 60_000, stub };
  expect((await ledger.reserve(late)).answer, 'the first script of all').toBe('LEDGER_LOST');
  const { open, epoch } = await ledger.state();
  expect({ open, epoch }).toEqual({ open: false, epoch: 0 });
  await ledger.beginEpoch(2);
  await ledger.openAdmission(2);
  expect(await counters(ledger), 'nothing of the half is left').toEqual({
    committed: 0,
    reserved: 0,
  });
  await reserve(ledger);
  await untilWritten(first);
  await restart();
  expect((await ledger.state()).open, 'a whole log is trusted again').toBe(true);
  expect(await counters(ledger)).toEqual({ committed: 0, reserved: HELD });
}, 60_000);

test('a crash while the log is written anew leaves one that Redis starts on', async () => {
  const first = await begin();
  const { redis, ledger } = first;
  await untilWritten(first);
  await restartTorn(await reserve(ledger), ['--rdb-key-save-delay', '2000000']);
  await ledger.outliveRestart();
  expect(await persistence(redis, 'aof_rewrite_in_progress')).toBe('1');
  await reserve(ledger);
  await restart();
  expect((await ledger.state()).epoch).toBe(0);
}, 60_000);

test.each([
  ['knows no BGREWRITEAOF', ['--rename-command', 'BGREWRITEAOF', '']],
  [
    'permits no BGREWRITEAOF',
    ['--user', 'default', 'on', 'nopass', '~*', '+@all', '-bgrewriteaof'],
  ],
])(
  'where Redis %s that is told once a start, and starts are as before',
  async (_name, options) => {
    const { ledger, redis, log } = await begin(options);
    for (const starts of [1, 2, 3]) {
      await ledger.outliveRestart();
      await ledger.outliveRestart();
      expect(redis.isUp, 'nothing is wrong with Redis').toBe(true);
      const told = log.lines.filter(({ message }) => message.includes('BGREWRITEAOF'));
      expect(told.length).toBe(starts);
      await restart(options);
      expect((await ledger.state()).open).toBe(true);
    }
  },
  60_000,
);

test('where Redis writes no log nothing is asked of it', async () => {
  server = await startRedis(folder);
  const { ledger, redis, log } = await gateway();
  await ledger.outliveRestart();
  expect(await redis.command('hget', ledger.keys.start, 'log')).toBe('new');
  expect(await persistence(redis, 'aof_rewrites')).toBe('0');
  expect(log.lines).toEqual([]);
});
