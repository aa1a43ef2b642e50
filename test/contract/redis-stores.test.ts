// What stands beside the ledger in Redis: the outbox of events, the leases of workers, the walk
// through all counters, and the checks at start.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, inject, test } from 'vitest';
import { OperatorError } from '#src/core/errors.js';
import type { UsageEvent } from '#src/core/usage-event.js';
import { createLeases } from '#src/stores/ledger/leases.js';
import { createOutbox, type Outbox } from '#src/stores/ledger/outbox.js';
import { checkRedis } from '#src/stores/ledger/redis-checks.js';
import { startRedis } from '../support/programs.js';
import { correction } from './guarantees/adjust.js';
import { openRedisSubject, type RedisSubject } from './redis-subject.js';
import {
  amounts,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  sentHold,
  usd,
} from './subject.js';

let subject: RedisSubject;
beforeEach(async () => {
  subject = await openRedisSubject({ urls: [inject('redisUrl')] });
});
afterEach(() => subject.stop());

describe('the outbox', () => {
  let outbox: Outbox;
  beforeEach(() => {
    outbox = createOutbox(subject.redis, subject.ledger.keys);
  });

  test('keeps every event that a verb answered, whole and in the order of seq', async () => {
    const { ledger, pass } = subject;
    const [a, t] = [newEnvelope('a'), newEnvelope('t"ü|x')];
    const lines = [line(a), line(t, { unit: 'tokens', amount: 10, label: 'ever' })];
    const answered: (UsageEvent | undefined)[] = [];
    const finalized = await hold(ledger, lines);
    const reaped = await sentHold(ledger, lines, amounts({ nano_usd: 30, tokens: 12 }), 1);
    const unsent = await hold(ledger, lines, { leaseMs: 1 });
    const event = { ...ending(finalized, usd(0)).event, reason: 'Zürich "quoted"' };
    const first = { ...ending(finalized, amounts({ nano_usd: 150, tokens: 4 })), event };
    answered.push((await ledger.finalize(first)).event);
    await pass(1);
    answered.push((await ledger.reap([unsent, reaped])).results[1]!.event);
    answered.push((await ledger.finalize(ending(reaped, usd(12)))).event);
    answered.push((await ledger.adjust(correction(newId(), { [a]: -5, [t]: 7 }))).event);
    assert.deepEqual(
      answered.map((one) => one?.kind),
      ['base', 'base', 'late', 'adjust'],
    );
    const entries = await outbox.read(10);
    assert.deepEqual(
      entries.map((entry) => entry.event),
      answered,
    );
    assert.deepEqual(
      (await outbox.read(2)).map((entry) => entry.event),
      answered.slice(0, 2),
    );
  });

  test('gives back what is not acknowledged, and counts it', async () => {
    const { ledger } = subject;
    assert.deepEqual(await outbox.depth(), { events: 0, bytes: 0 });
    for (let i = 0; i < 3; i += 1) {
      const id = await hold(ledger, [line(newEnvelope())]);
      await ledger.finalize(ending(id, usd(i)));
    }
    const [first, ...others] = await outbox.read(10);
    await outbox.acknowledge([]);
    await outbox.acknowledge([first!.place]);
    await outbox.acknowledge([first!.place]);
    assert.deepEqual(await outbox.read(10), others);
    const { events, bytes } = await outbox.depth();
    assert.equal(events, 2);
    assert.ok(bytes > 100);
  });
});

describe('a worker lease', () => {
  test('has one holder at a time, whose token is the highest so far', async () => {
    const leases = createLeases(subject.redis, subject.scripts, subject.ledger.keys);
    const first = await leases.take('reap', 60_000);
    assert.ok(first);
    assert.equal(await leases.take('reap', 60_000), undefined);
    const other = await leases.take('drain', 60_000);
    assert.ok(other && other.token > first.token);
    assert.equal(await leases.release(first), true);
    const second = await leases.take('reap', 60_000);
    assert.ok(second && second.token > other.token);
  });

  test('that has run out is neither renewed nor released by who had it', async () => {
    const leases = createLeases(subject.redis, subject.scripts, subject.ledger.keys);
    const first = await leases.take('reap', 20);
    assert.ok(first);
    await subject.pass(25);
    const second = await leases.take('reap', 60_000);
    assert.ok(second);
    assert.equal(await leases.renew(first, 60_000), false);
    assert.equal(await leases.release(first), false);
    assert.equal(await leases.renew(second, 60_000), true);
    assert.equal(await leases.release(second), true);
    assert.equal(await leases.renew(second, 60_000), false);
  });

  test('lives as long as it is renewed', async () => {
    const leases = createLeases(subject.redis, subject.scripts, subject.ledger.keys);
    const lease = await leases.take('reap', 20);
    assert.ok(lease);
    assert.equal(await leases.renew(lease, 60_000), true);
    await subject.pass(25);
    assert.equal(await leases.take('reap', 20), undefined);
  });
});

describe('the walk through all counters', () => {
  test('meets each with all four amounts, and forgets those that have expired', async () => {
    const { ledger, redis } = subject;
    const [a, b] = [newEnvelope('a'), newEnvelope('x|y')];
    const id = await hold(ledger, [line(a), line(b, { unit: 'tokens', label: 'ever' })]);
    await ledger.finalize(ending(id, amounts({ nano_usd: 130, tokens: 40 })));
    await ledger.adjust(correction(newId(), { [a]: -30 }));
    const gone = newEnvelope();
    await ledger.adjust(correction(newId(), { [gone]: 1 }));
    await redis.command('del', ledger.keys.counter(gone, LABEL));
    const page = await ledger.counters('0');
    assert.equal(page.cursor, '0');
    const byEnvelope = new Map(page.counters.map((row) => [row.envelope, row]));
    assert.deepEqual(byEnvelope.get(a), {
      ...{ envelope: a, label: LABEL, unit: 'nano_usd' },
      ...{ committed: 100, reserved: 0, overrun: 30, adjusted: -30 },
    });
    assert.deepEqual(byEnvelope.get(b), {
      ...{ envelope: b, label: 'ever', unit: 'tokens' },
      ...{ committed: 40, reserved: 0, overrun: 0, adjusted: 0 },
    });
    assert.equal(page.counters.length, 2);
    assert.equal(await redis.command('scard', ledger.keys.labels), 2);
  });
});

describe('the checks at start', () => {
  test('take a master that never evicts, and say what survives a crash', async () => {
    const facts = await checkRedis(subject.redis);
    assert.equal(facts.role, 'master');
    assert.match(facts.version, /^[7-9]|^\d\d/);
    assert.equal(facts.evictionPolicy, 'noeviction');
    assert.ok(facts.persistence.length > 0);
  });

  test('refuse one that may evict, and a replica, each with the remedy', async () => {
    const folder = join(inject('runFolder'), 'redis-checked');
    const server = await startRedis(folder, ['--appendonly', 'yes']);
    const own = await openRedisSubject({ urls: [server.url] });
    try {
      assert.equal((await checkRedis(own.redis)).persistence, 'an append-only file');
      const refused = (message: RegExp) => (error: unknown) =>
        error instanceof OperatorError && message.test(error.message) && error.remedy.length > 0;
      for (const policy of ['allkeys-lru', 'volatile-ttl']) {
        await own.redis.command('config', 'set', 'maxmemory-policy', policy);
        await assert.rejects(() => checkRedis(own.redis), refused(/may evict/));
      }
      await own.redis.command('config', 'set', 'maxmemory-policy', 'noeviction');
      await own.redis.command('replicaof', '127.0.0.1', '1');
      await assert.rejects(() => checkRedis(own.redis), refused(/is a slave/));
    } finally {
      await own.stop();
      await server.kill();
    }
  });
});
