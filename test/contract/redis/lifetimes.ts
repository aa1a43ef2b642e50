// How long keys live: nothing that is held ever expires, nothing that has ended stays for ever.

import assert from 'node:assert/strict';
import { labelEndsBeforeMs } from '#src/rules/budget/label-end.js';
import { correction } from '../guarantees/adjust.js';
import type { RedisGuarantee, RedisSubject } from '../redis-subject.js';
import { amounts, ending, hold, LABEL, line, newEnvelope, newId, request } from '../subject.js';

const HOUR_MS = 3_600_000;
const ttlOf = (subject: RedisSubject) => async (key: string) =>
  Number(await subject.redis.command('pttl', key));
const near = (actual: number, wanted: number) =>
  assert.ok(actual <= wanted && actual > wanted - 10_000, `${actual} is not near ${wanted}`);

export const LIFETIMES: readonly RedisGuarantee[] = [
  {
    name: 'endings and adjusts two hours, refusals five minutes, holds until they end',
    async check(subject) {
      const ttl = ttlOf(subject);
      const { ledger } = subject;
      const { keys } = ledger;
      const a = newEnvelope();
      const [open, finalized, released, reaped] = [
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)], { leaseMs: 1 }),
      ];
      await subject.pass(1);
      await ledger.finalize(ending(finalized, amounts()));
      await ledger.release(released);
      await ledger.reap([reaped]);
      const voided = newId();
      await ledger.release(voided);
      assert.equal(await ttl(keys.reservation(open)), -1);
      for (const id of [finalized, released, reaped, voided]) {
        near(await ttl(keys.reservation(id)), 2 * HOUR_MS);
      }
      const refused = request([line(newEnvelope(), { limit: 1 })]);
      await ledger.reserve(refused);
      near(await ttl(keys.reservation(refused.id)), HOUR_MS / 12);
      const adjusted = newId();
      await ledger.adjust(correction(adjusted, { [a]: 1 }));
      near(await ttl(keys.adjust(adjusted)), 2 * HOUR_MS);
    },
  },
  {
    name: 'an ended hold keeps what a late finalize needs, and no more',
    async check(subject) {
      const { ledger, redis } = subject;
      const id = await hold(ledger, [line(newEnvelope())]);
      await ledger.finalize(ending(id, amounts()));
      const fields = (await redis.command('hkeys', ledger.keys.reservation(id))) as string[];
      assert.deepEqual(fields.sort(), ['lines', 'state', 'units']);
    },
  },
  {
    name: 'a counter 48 h after its label and its last hold, ever for ever',
    async check(subject) {
      const ttl = ttlOf(subject);
      const { ledger } = subject;
      const counter = (label: string) => ledger.keys.counter(a, label);
      const a = newEnvelope();
      const { timeMs } = await ledger.state();
      const labels = ['2020-01', '2099-12', 'ever'];
      const ends = (label: string) =>
        Math.max(labelEndsBeforeMs(label)!, timeMs) + 48 * HOUR_MS - timeMs;
      const lines = labels.map((label) => line(a, { label, limit: null }));
      const id = await hold(ledger, lines);
      for (const label of labels) assert.equal(await ttl(counter(label)), -1);
      await ledger.finalize(ending(id, amounts()));
      near(await ttl(counter('2020-01')), ends('2020-01') + 5_000);
      near(await ttl(counter('2099-12')), ends('2099-12') + 5_000);
      assert.equal(await ttl(counter('ever')), -1);

      const others = [await hold(ledger, lines), await hold(ledger, lines)] as const;
      assert.equal(await ttl(counter('2020-01')), -1, 'a new hold takes the clock away');
      await ledger.release(others[0]);
      assert.equal(await ttl(counter('2020-01')), -1, 'while another hold is left');
      await ledger.release(others[1]);
      near(await ttl(counter('2020-01')), ends('2020-01') + 5_000);
    },
  },
  {
    name: 'a counter that only a correction made has a clock, until something is held',
    async check(subject) {
      const ttl = ttlOf(subject);
      const { ledger } = subject;
      const a = newEnvelope();
      const key = ledger.keys.counter(a, LABEL);
      await ledger.adjust(correction(newId(), { [a]: 5 }));
      assert.ok((await ttl(key)) > 0);
      await hold(ledger, [line(a)]);
      assert.equal(await ttl(key), -1);
    },
  },
  {
    name: 'a hold of nothing that is extended keeps its counter',
    async check(subject) {
      const ttl = ttlOf(subject);
      const { ledger } = subject;
      const a = newEnvelope();
      const key = ledger.keys.counter(a, LABEL);
      const empty = await hold(ledger, [line(a, { amount: 0 })]);
      await ledger.release(await hold(ledger, [line(a)]));
      assert.ok((await ttl(key)) > 0);
      await ledger.extend({ id: empty, more: amounts({ nano_usd: 1 }), leaseMs: 5_000 });
      assert.equal(await ttl(key), -1);
    },
  },
  {
    name: 'a restored hold keeps its counter, restored counters have a clock',
    async check(subject) {
      const ttl = ttlOf(subject);
      const { ledger } = subject;
      const [a, b] = [newEnvelope(), newEnvelope()];
      await ledger.closeAdmission();
      for (const envelope of [a, b]) {
        const key = { envelope, label: LABEL, unit: 'nano_usd' } as const;
        await ledger.restore({ what: 'counters', ...key, committed: 5, overrun: 0, adjusted: 0 });
      }
      assert.ok((await ttl(ledger.keys.counter(a, LABEL))) > 0);
      const { timeMs } = await ledger.state();
      const none = { floor: amounts(), seen: amounts(), stub: '{}' };
      const open = { id: newId(), owner: 'o', phase: 'held', lines: [line(b)], ...none } as const;
      await ledger.restore({ what: 'hold', hold: { ...open, leaseEndsAtMs: timeMs + 60_000 } });
      assert.equal(await ttl(ledger.keys.counter(b, LABEL)), -1);
    },
  },
];
