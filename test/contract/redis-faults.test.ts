// What Redis does when it is full, stopped, killed, flushed or slow, each on a server of its own.

import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, inject, test } from 'vitest';
import { realClock } from '#src/drivers/clock.js';
import type { Redis } from '#src/drivers/redis.js';
import { RedisUnavailable } from '#src/drivers/redis-errors.js';
import { LedgerUnavailable } from '#src/stores/ledger/ledger.js';
import { createRedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { type Server, startRedis } from '../support/programs.js';
import { answerOf, openRedisSubject, type RedisSubject } from './redis-subject.js';
import {
  amounts,
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  request,
  usd,
} from './subject.js';

let server: Server;
let subject: RedisSubject;
let folders = 0;

beforeEach(async () => {
  folders += 1;
  server = await startRedis(join(inject('runFolder'), `faults-${process.pid}-${folders}`));
});
afterEach(async () => {
  await subject.stop();
  await server.kill();
});

const open = async (commandTimeoutMs = 2_000) => {
  subject = await openRedisSubject({ urls: [server.url], commandTimeoutMs });
  return subject;
};

const leaseMs = 60_000;
const isUnavailable = (error: unknown) => error instanceof LedgerUnavailable;

describe('a full Redis', () => {
  test('refuses every reserve, and lets everything that ends or renews go on', async () => {
    const { ledger, redis, pass } = await open();
    const a = newEnvelope();
    const lines = [line(a, { limit: null })];
    const [finalized, released, kept] = [
      await hold(ledger, lines),
      await hold(ledger, lines),
      await hold(ledger, lines),
    ];
    const overdue = await hold(ledger, lines, { leaseMs: 1 });
    await pass(1);
    await redis.command('config', 'set', 'maxmemory', '1');
    const before = await counters(ledger, a);
    const wanted = request(lines);
    await assert.rejects(() => ledger.reserve(wanted), isUnavailable);
    assert.deepEqual(await counters(ledger, a), before);
    assert.ok(redis.isUp, 'the breaker stays closed, or nothing could end');
    const more = await ledger.extend({ id: kept, more: usd(1), leaseMs });
    assert.equal(more.answer, 'EXTENDED');
    const beats = [{ id: kept, seen: usd(5) }];
    assert.deepEqual((await ledger.beat({ owner: 'gateway-1', leaseMs, beats })).gone, []);
    assert.equal((await ledger.finalize(ending(finalized, usd(40)))).answer, 'FINALIZED');
    assert.equal((await ledger.release(released)).answer, 'RELEASED');
    assert.equal((await ledger.reap([overdue])).results[0]?.answer, 'REAPED');
    assert.equal((await ledger.finalize(ending(kept, usd(7)))).answer, 'FINALIZED');
    assert.deepEqual(await counters(ledger, a), { committed: 47, reserved: 0, overrun: 0 });
    await redis.command('config', 'set', 'maxmemory', '0');
    assert.equal((await ledger.reserve(wanted)).answer, 'RESERVED', 'the id is not spent');
  });
});

describe('a Redis that forgets its scripts', () => {
  test('is healed call by call, with no call failed', async () => {
    const { ledger, redis } = await open();
    const a = newEnvelope();
    for (let round = 0; round < 5; round += 1) {
      const [answers] = await Promise.all([
        Promise.all(
          Array.from({ length: 20 }, async () => {
            const id = await hold(ledger, [line(a, { limit: null })]);
            return (await ledger.finalize(ending(id, usd(1)))).answer;
          }),
        ),
        redis.command('script', 'flush'),
      ]);
      assert.ok(answers.every((answer) => answer === 'FINALIZED'));
    }
    assert.deepEqual(await counters(ledger, a), { committed: 100, reserved: 0, overrun: 0 });
  });

  test('is healed inside a pipeline, in the order of the calls', async () => {
    const { redis, scripts, ledger } = await open();
    const { state, leases } = ledger.keys;
    const call = { script: scripts.state, keys: [state, leases], args: ['1', '0 0 gx'] };
    await redis.command('script', 'flush');
    const replies = await redis.pipeline([call, ['echo', 'between'], call]);
    assert.deepEqual(replies.map(answerOf), ['STATE', 'between', 'STATE']);
  });
});

describe('a Redis that is stopped', () => {
  test('makes reserve fail within a few timeouts; what it did meanwhile is void', async () => {
    const { ledger, redis } = await open(60);
    const a = newEnvelope();
    process.kill(server.pid, 'SIGSTOP');
    await assert.rejects(() => ledger.reserve(request([line(a)])), isUnavailable);
    assert.equal(redis.isUp, false);
    await assert.rejects(() => ledger.reserve(request([line(a)])), isUnavailable);
    process.kill(server.pid, 'SIGCONT');
    await until(() => redis.isUp);
    const state = await ledger.state();
    assert.deepEqual([state.held, state.open], [0, true]);
    assert.equal((await counters(ledger, a)).reserved, 0);
    assert.equal((await ledger.reserve(request([line(a)]))).answer, 'RESERVED');
  });

  test('costs the open breaker no round trip', async () => {
    const { ledger, redis } = await open(60);
    process.kill(server.pid, 'SIGSTOP');
    const id = 'r-1';
    await assert.rejects(() => ledger.finalize(ending(id, usd(1))), isUnavailable);
    await assert.rejects(
      () => ledger.finalize(ending(id, usd(1))),
      (error: Error) => (error.cause as RedisUnavailable).reason === 'breaker_open',
    );
    process.kill(server.pid, 'SIGCONT');
    await until(() => redis.isUp);
    assert.equal((await ledger.finalize(ending(id, usd(1)))).answer, 'UNKNOWN');
  });
});

describe('a Redis that is killed', () => {
  test('and comes back empty: lost until it is rebuilt in a new epoch', async () => {
    const { ledger, redis, another } = await open();
    const other = await another();
    const a = newEnvelope();
    const done = await hold(ledger, [line(a)]);
    await ledger.finalize(ending(done, usd(40)));
    const running = await hold(ledger, [line(a)]);
    const kept = (await ledger.holds({ offset: 0, limit: 1 })).holds[0]!;
    await server.kill();
    await assert.rejects(() => ledger.reserve(request([line(a)])), isUnavailable);
    const folder = join(inject('runFolder'), `faults-again-${process.pid}`);
    server = await startRedis(folder, [], server.port);
    await until(() => redis.isUp);
    assert.equal((await ledger.reserve(request([line(a)]))).answer, 'LEDGER_LOST');
    assert.equal((await ledger.finalize(ending(running, usd(1)))).answer, 'LEDGER_LOST');
    assert.equal((await ledger.state()).open, false);

    await ledger.beginEpoch(2);
    await until(async () => (await other.state().catch(() => undefined))?.epoch === 2);
    const key = { envelope: a, label: LABEL, unit: 'nano_usd' } as const;
    const totals = { ...key, committed: 40, overrun: 0, adjusted: 0 };
    assert.equal((await ledger.restore({ what: 'counters', ...totals })).answer, 'RESTORED');
    assert.equal((await other.restore({ what: 'hold', hold: kept })).answer, 'RESTORED');
    assert.equal((await other.reserve(request([line(a)]))).answer, 'LEDGER_LOST');
    await ledger.openAdmission(2);
    assert.deepEqual(await counters(other, a), { committed: 40, reserved: 100, overrun: 0 });
    assert.equal((await other.finalize(ending(running, usd(9)))).answer, 'FINALIZED');
    assert.equal((await counters(ledger, a)).committed, 49);
  });

  test('a new epoch over old counters keeps limits and the outbox, and nothing else', async () => {
    const { ledger, redis } = await open();
    const a = newEnvelope();
    const done = await hold(ledger, [line(a)]);
    await ledger.finalize(ending(done, usd(40)));
    await hold(ledger, [line(a)]);
    await ledger.beginEpoch(2);
    const left: string[] = [];
    for await (const names of redis.scan('*', 100)) left.push(...names);
    const { state, limits, outbox, start } = ledger.keys;
    assert.deepEqual(left.sort(), [state, limits, outbox, start].sort());
    assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 0, overrun: 0 });
    assert.equal((await ledger.state()).open, false);
  });
});

describe('a Redis that was rolled back', () => {
  test('is found out by whoever did what is gone, though others have written past it', async () => {
    const folder = join(inject('runFolder'), `faults-back-${process.pid}`);
    await server.kill();
    server = await startRedis(folder, ['--appendonly', 'yes'], server.port);
    const { ledger, redis, another } = await open();
    const other = await another();
    await until(async () => {
      await ledger.outliveRestart();
      return (await redis.command('hget', ledger.keys.start, 'log')) === 'new';
    });
    const a = newEnvelope();
    const lines = [line(a, { limit: null })];
    const id = await hold(ledger, lines);
    cpSync(folder, `${folder}-kept`, { recursive: true });
    const lost = await ledger.finalize(ending(id, usd(40)));
    assert.equal(lost.answer, 'FINALIZED');
    await server.kill();
    server = await startRedis(`${folder}-kept`, ['--appendonly', 'yes'], server.port);
    await until(async () => (await other.state().catch(() => undefined))?.open === true);
    for (let i = 0; i < 3; i += 1) await hold(other, lines);
    const { seq, open: isOpen } = await other.state();
    assert.ok(isOpen && seq > lost.seq, 'nothing is missing to the other');

    await until(() => redis.isUp);
    assert.equal((await ledger.state()).open, false);
    assert.equal((await ledger.finalize(ending(id, usd(40)))).answer, 'LEDGER_LOST');
    await ledger.beginEpoch(2);
    await ledger.openAdmission(2);
    assert.equal((await hold(ledger, lines)).length, id.length, 'the new epoch is whole');
  });
});

describe('a reserve without an answer', () => {
  // Carries commands out and loses the replies of the first `count` reserves.
  const losing = (redis: Redis, count: number): Redis => {
    let left = count;
    const run: Redis['run'] = async (script, ...rest) => {
      const reply = await redis.run(script, ...rest);
      if (script.name !== 'reserve' || left === 0) return reply;
      left -= 1;
      throw new RedisUnavailable('timeout', 'unknown');
    };
    return new Proxy(redis, {
      get: (target, name) => {
        if (name === 'run') return run;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  const ledgerLosing = async (count: number) => {
    const { redis, scripts, ledger } = await open();
    const tag = ledger.keys.prefix.slice(1, -2);
    const lossy = createRedisLedger({
      redis: losing(redis, count),
      scripts,
      clock: realClock,
      tag,
    });
    await lossy.state();
    return { ledger, lossy };
  };

  test('is asked again by the same id, and held once', async () => {
    const { lossy } = await ledgerLosing(1);
    const a = newEnvelope();
    const reply = await lossy.reserve(request([line(a)]));
    assert.equal(reply.answer, 'RESERVED');
    assert.equal((await counters(lossy, a)).reserved, 100);
  });

  test('that was refused is told as refused', async () => {
    const { lossy } = await ledgerLosing(1);
    const reply = await lossy.reserve(request([line(newEnvelope(), { limit: 5 })]));
    assert.equal(reply.answer, 'BUDGET_EXCEEDED');
    assert.equal(reply.shortages?.[0]?.limit, 5);
  });

  test('twice is voided and rejects, so that nothing is forwarded on a guess', async () => {
    const { ledger, lossy } = await ledgerLosing(2);
    const a = newEnvelope();
    const wanted = request([line(a)]);
    await assert.rejects(() => lossy.reserve(wanted), isUnavailable);
    await until(async () => (await ledger.state()).held === 0);
    assert.equal((await counters(ledger, a)).reserved, 0);
    assert.equal((await ledger.finalize(ending(wanted.id, usd(1)))).answer, 'LATE_FINALIZE');
  });
});

describe('a gateway whose clock is wrong', () => {
  test('by minutes or a day, or set while it runs, keeps ledger time and its leases', async () => {
    let skewMs = 600_000;
    const clock = { ...realClock, nowMs: () => realClock.nowMs() + skewMs };
    subject = await openRedisSubject({ urls: [server.url], clock });
    const { ledger } = subject;
    const near = async () => {
      const { timeMs } = await ledger.state();
      assert.ok(Math.abs(ledger.nowMs() - timeMs) < 1_000);
      assert.ok(Math.abs(timeMs - realClock.nowMs()) < 1_000);
    };
    await near();
    const id = await hold(ledger, [line(newEnvelope())], { leaseMs: 30_000 });
    for (skewMs of [-600_000, 86_400_000, -86_400_000]) {
      await near();
      assert.deepEqual(await ledger.overdue(5), []);
      assert.equal((await ledger.reap([id])).results[0]?.answer, 'NOT_DUE');
      const beats = [{ id, seen: amounts() }];
      const { timeMs } = await ledger.beat({ owner: 'gateway-1', leaseMs: 30_000, beats });
      const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
      assert.equal(open?.leaseEndsAtMs, timeMs + 30_000);
    }
  });
});

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await check()) return;
    await wait(25);
  }
  throw new Error('It did not come to pass.');
}
