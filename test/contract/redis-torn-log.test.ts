// A crash may tear Redis' log off inside the last script, of which nobody was told. Redis forgets
// that script, yet leaves its half in the log, and would carry it out at its next start.

import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import { realClock as clock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { createRedisLedger, type RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { amounts, STUB, sentRecord } from '../support/events.js';
import { startRedis } from '../support/programs.js';

const OPTIONS = ['--appendonly', 'yes', '--appendfsync', 'always'];
const TORN_BYTES = 5;

function tear(folder: string): void {
  const log = join(folder, 'appendonlydir');
  const file = readdirSync(log)
    .filter((name) => name.endsWith('.incr.aof'))
    .sort()
    .at(-1)!;
  const path = join(log, file);
  truncateSync(path, statSync(path).size - TORN_BYTES);
}

async function untilWritten(redis: Redis): Promise<void> {
  for (;;) {
    const text = String(await redis.command('info', 'persistence'));
    if (!/aof_rewrite_(in_progress|scheduled):1/.test(text)) return;
    await sleep(5);
  }
}

test('half a script that a crash left in the log is never carried out', async () => {
  const folder = join(inject('runFolder'), 'torn-log');
  let server = await startRedis(folder, OPTIONS);
  const open = (): { redis: Redis; ledger: RedisLedger } => {
    const redis = openRedis({ urls: [server.url], clock, commandTimeoutMs: 2_000 });
    return { redis, ledger: createRedisLedger({ redis, scripts: loadScripts(), clock }) };
  };
  const { redis, ledger } = open();
  await redis.ready(10_000);
  await ledger.beginEpoch(1);
  await ledger.openAdmission(1);
  await untilWritten(redis);
  const { lines, stub } = sentRecord('');
  const reserve = async (): Promise<string> => {
    const id = uuidV7(ledger.nowMs());
    const request = { id, owner: 'here', lines, leaseMs: 60_000, stub };
    expect((await ledger.reserve(request)).answer).toBe('RESERVED');
    return id;
  };
  const restart = async (): Promise<void> => {
    server = await startRedis(folder, OPTIONS, server.port);
    await redis.ready(10_000);
  };
  const id = await reserve();

  // Another gateway books, and never hears of it.
  const other = open();
  await other.redis.ready(10_000);
  await other.ledger.state();
  const actual = amounts({ nano_usd: 296 });
  const booked = await other.ledger.finalize({ id, actual, event: { id, stub: STUB } });
  expect(booked.answer).toBe('FINALIZED');
  await other.redis.close();
  await server.kill();
  tear(folder);
  await restart();
  expect((await ledger.state()).open, 'nobody knows that anything is missing').toBe(true);
  await ledger.outliveRestart();
  await untilWritten(redis);
  const writtenAnew = async (): Promise<string | undefined> =>
    /aof_rewrites:(\d+)/.exec(String(await redis.command('info', 'persistence')))?.[1];
  expect(await writtenAnew()).toBe('1');
  await ledger.outliveRestart();
  expect(await writtenAnew(), 'once a start').toBe('1');

  await reserve();
  await server.kill();
  await restart();
  const [balance] = await ledger.balances(lines);
  const { committed, reserved } = balance!;
  expect({ committed, reserved }).toEqual({ committed: 0, reserved: 2 * lines[0]!.amount });
  await redis.close();
  await server.stop();
}, 60_000);
