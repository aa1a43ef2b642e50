// How long keys live: nothing that is held ever expires, nothing that has ended stays for ever.

import assert from 'node:assert/strict';
import { labelEndsBeforeMs } from '#src/rules/budget/label-end.js';
import { correction } from '../guarantees/adjust.js';
import type { RedisGuarantee, RedisSubject } from '../redis-subject.js';
import {
  amounts,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  request,
  sentHold,
  usd,
} from '../subject.js';

const HOUR_MS = 3_600_000;
const LABELS = ['2020-01', '2099-12', 'ever'];

/** When a key ends, in ms of ledger time; -1: it does not. */
const endOf = (subject: RedisSubject) => async (key: string) =>
  Number(await subject.redis.command('pexpiretime', key));

/** When a counter of this label must end that was left alone at `timeMs`. */
const endOfCounter = (label: string, timeMs: number) =>
  label === 'ever' ? -1 : Math.max(labelEndsBeforeMs(label)!, timeMs) + 48 * HOUR_MS;

export const LIFETIMES: readonly RedisGuarantee[] = [
  {
    name: 'endings and adjusts two hours, refusals five minutes, holds until they end',
    async check(subject) {
      const { ledger, pass } = subject;
      const { keys } = ledger;
      const end = endOf(subject);
      const a = newEnvelope();
      const [open, finalized, released, reaped] = [
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)]),
        await hold(ledger, [line(a)], { leaseMs: 1 }),
      ];
      await pass(1);
      const voided = newId();
      const endings = [
        [finalized, await ledger.finalize(ending(finalized, amounts()))],
        [released, await ledger.release(released)],
        [reaped, await ledger.reap([reaped])],
        [voided, await ledger.release(voided)],
      ] as const;
      for (const [id, { timeMs }] of endings) {
        assert.equal(await end(keys.reservation(id)), timeMs + 2 * HOUR_MS);
      }
      assert.equal(await end(keys.reservation(open)), -1);
      const refused = request([line(newEnvelope(), { limit: 1 })]);
      const { timeMs: refusedMs } = await ledger.reserve(refused);
      assert.equal(await end(keys.reservation(refused.id)), refusedMs + HOUR_MS / 12);
      const adjusted = newId();
      const { timeMs: adjustedMs } = await ledger.adjust(correction(adjusted, { [a]: 1 }));
      assert.equal(await end(keys.adjust(adjusted)), adjustedMs + 2 * HOUR_MS);
    },
  },
  {
    name: 'an ending keeps what a late finalize needs, and no more',
    async check({ ledger, redis, pass }) {
      const lines = [line(newEnvelope())];
      const start = async (leaseMs: number) => {
        const id = await sentHold(ledger, lines, usd(1), leaseMs);
        await ledger.beat({ owner: 'gateway-1', leaseMs, beats: [{ id, seen: usd(2) }] });
        return id;
      };
      const [finalized, released, reaped] = [
        await start(60_000),
        await start(60_000),
        await start(1),
      ];
      await ledger.finalize(ending(finalized, amounts()));
      await ledger.release(released);
      await pass(1);
      await ledger.reap([reaped]);
      const fields = async (id: string) =>
        ((await redis.command('hkeys', ledger.keys.reservation(id))) as string[]).sort();
      assert.deepEqual(await fields(finalized), ['lines', 'state', 'units']);
      for (const id of [released, reaped]) {
        assert.deepEqual(await fields(id), ['charged', 'lines', 'state', 'units']);
      }
    },
  },
  {
    name: 'a counter 48 h after its label and its last hold, ever for ever',
    async check(subject) {
      const { ledger, pass } = subject;
      const end = endOf(subject);
      const a = newEnvelope();
      const lines = LABELS.map((label) => line(a, { label, limit: null }));
      const atRest = async ({ timeMs }: { timeMs: number }) => {
        for (const label of LABELS) {
          const key = ledger.keys.counter(a, label);
          assert.equal(await end(key), endOfCounter(label, timeMs), label);
        }
      };
      const held = async () => {
        for (const label of LABELS) assert.equal(await end(ledger.keys.counter(a, label)), -1);
      };
      const first = await hold(ledger, lines);
      await held();
      await atRest(await ledger.finalize(ending(first, amounts())));
      const second = await hold(ledger, lines);
      await held();
      const third = await hold(ledger, lines);
      await ledger.finalize(ending(second, amounts()));
      await held();
      await atRest(await ledger.release(third));
      const fourth = await hold(ledger, lines, { leaseMs: 1 });
      const fifth = await hold(ledger, lines, { leaseMs: 1 });
      await pass(1);
      await ledger.reap([fourth]);
      await held();
      await atRest(await ledger.reap([fifth]));
      await pass(1);
      await atRest(await ledger.finalize(ending(fifth, usd(1))));
    },
  },
  {
    name: 'a counter that only a correction made has a clock, until something is held',
    async check(subject) {
      const { ledger } = subject;
      const end = endOf(subject);
      const a = newEnvelope();
      const key = ledger.keys.counter(a, LABEL);
      const { timeMs } = await ledger.adjust(correction(newId(), { [a]: 5 }));
      assert.equal(await end(key), endOfCounter(LABEL, timeMs));
      const id = await hold(ledger, [line(a)]);
      assert.equal(await end(key), -1);
      await ledger.adjust(correction(newId(), { [a]: 5 }));
      assert.equal(await end(key), -1, 'a correction starts no clock while something is held');
      await ledger.release(id);
    },
  },
  {
    name: 'a hold of nothing that is extended keeps its counter',
    async check(subject) {
      const { ledger } = subject;
      const end = endOf(subject);
      const a = newEnvelope();
      const key = ledger.keys.counter(a, LABEL);
      const empty = await hold(ledger, [line(a, { amount: 0 })]);
      await ledger.release(await hold(ledger, [line(a)]));
      const before = await end(key);
      assert.ok(before > 0);
      await ledger.extend({ id: empty, more: amounts(), leaseMs: 5_000 });
      assert.equal(await end(key), before, 'by nothing more, it is left alone');
      await ledger.extend({ id: empty, more: amounts({ nano_usd: 1 }), leaseMs: 5_000 });
      assert.equal(await end(key), -1);
    },
  },
  {
    name: 'a restored hold keeps its counter, restored counters have a clock',
    async check(subject) {
      const { ledger } = subject;
      const end = endOf(subject);
      const [a, b] = [newEnvelope(), newEnvelope()];
      await ledger.closeAdmission();
      const totals = {
        label: LABEL,
        unit: 'nano_usd',
        committed: 5,
        overrun: 0,
        adjusted: 0,
      } as const;
      const counters = (envelope: string) =>
        ledger.restore({ what: 'counters', envelope, ...totals });
      const { timeMs } = await counters(a);
      await counters(b);
      assert.equal(await end(ledger.keys.counter(a, LABEL)), endOfCounter(LABEL, timeMs));
      const none = { floor: amounts(), seen: amounts(), stub: '{}' };
      const open = (envelope: string) =>
        ledger.restore({
          what: 'hold',
          hold: {
            ...{ id: newId(), owner: 'o', phase: 'held', lines: [line(envelope)], ...none },
            leaseEndsAtMs: timeMs + 60_000,
          },
        });
      await open(b);
      assert.equal(await end(ledger.keys.counter(b, LABEL)), -1);
      const c = newEnvelope();
      await open(c);
      await counters(c);
      assert.equal(await end(ledger.keys.counter(c, LABEL)), -1, 'counters after their hold');
    },
  },
];
