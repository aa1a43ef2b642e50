// What stands beside the ledger in Redis: the outbox of events, the leases of workers, and the walk
// through all counters.

import assert from 'node:assert/strict';
import type { UsageEvent } from '#src/core/usage-event.js';
import { createLeases } from '#src/stores/ledger/leases.js';
import { createOutbox } from '#src/stores/ledger/outbox.js';
import { correction } from '../guarantees/adjust.js';
import type { RedisGuarantee } from '../redis-subject.js';
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
} from '../subject.js';

export const BESIDE: readonly RedisGuarantee[] = [
  {
    name: 'keeps every event that a verb answered, whole and in the order of seq',
    async check(subject) {
      const outbox = createOutbox(subject.redis, subject.ledger.keys);
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
    },
  },
  {
    name: 'gives back what is not acknowledged, and counts it',
    async check(subject) {
      const outbox = createOutbox(subject.redis, subject.ledger.keys);
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
    },
  },
  {
    name: 'has one holder at a time, whose token is the highest so far',
    async check(subject) {
      const leases = createLeases(subject.redis, subject.scripts, subject.ledger.keys);
      const first = await leases.take('reap', 60_000);
      assert.ok(first);
      assert.equal(await leases.take('reap', 60_000), undefined);
      const other = await leases.take('drain', 60_000);
      assert.ok(other && other.token > first.token);
      assert.equal(await leases.release(first), true);
      const second = await leases.take('reap', 60_000);
      assert.ok(second && second.token > other.token);
    },
  },
  {
    name: 'that has run out is neither renewed nor released by who had it',
    async check(subject) {
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
    },
  },
  {
    name: 'lives as long as it is renewed',
    async check(subject) {
      const { redis, ledger } = subject;
      const leases = createLeases(redis, subject.scripts, ledger.keys);
      const lease = await leases.take('reap', 10_000);
      assert.ok(lease);
      assert.ok(Number(await redis.command('pttl', ledger.keys.worker('reap'))) <= 10_000);
      assert.equal(await leases.renew(lease, 60_000), true);
      assert.ok(Number(await redis.command('pttl', ledger.keys.worker('reap'))) > 10_000);
      assert.equal(await leases.take('reap', 20), undefined);
    },
  },
  {
    name: 'meets each with all four amounts, and forgets those that have expired',
    async check(subject) {
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
    },
  },
  {
    name: 'meets those that only a hold has touched, each with its unit',
    async check({ ledger }) {
      const [a, b] = [newEnvelope('a'), newEnvelope('b')];
      await hold(ledger, [line(a, { amount: 7 }), line(b, { unit: 'tokens', amount: 9 })]);
      const { counters } = await ledger.counters('0');
      assert.deepEqual(
        counters.map(({ envelope, unit, reserved }) => [envelope, unit, reserved]).sort(),
        [
          [a, 'nano_usd', 7],
          [b, 'tokens', 9],
        ],
      );
    },
  },
];
