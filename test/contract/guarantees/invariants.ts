// The ledger's invariants by their names, each tried where it is most likely to break. The random
// histories of test/model check the same ones everywhere else.

import assert from 'node:assert/strict';
import type { Ledger, ReserveReply } from '#src/stores/ledger/ledger.js';
import type { LedgerContract } from '../ledger-contract.js';
import {
  amounts,
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  request,
  SHORT_LEASE_MS,
  sentHold,
  usd,
} from '../subject.js';
import { correction } from './adjust.js';
import { BAD_AMOUNTS } from './bad-input.js';

const leaseMs = SHORT_LEASE_MS;

export const invariants: LedgerContract['invariants'] = {
  CAP: [
    {
      name: 'CAP: of 40 calls at once, exactly as many get in as there is room for',
      async check({ ledger }) {
        const a = newEnvelope();
        const replies = await Promise.all(
          Array.from({ length: 40 }, () => ledger.reserve(request([line(a, { amount: 70 })]))),
        );
        assert.equal(count(replies, 'RESERVED'), 14);
        assert.equal(count(replies, 'BUDGET_EXCEEDED'), 26);
        assert.equal((await counters(ledger, a)).reserved, 980);
      },
    },
    {
      name: 'CAP: reserve and extend at once share one room',
      async check({ ledger }) {
        const a = newEnvelope();
        const ids = await Promise.all([1, 2, 3].map(() => hold(ledger, [line(a)])));
        const replies = await Promise.all([
          ...ids.map((id) => ledger.extend({ id, more: usd(300), leaseMs })),
          ...ids.map(() => ledger.reserve(request([line(a, { amount: 300 })]))),
        ]);
        const granted = replies.filter(({ answer }) => /^(RESERVED|EXTENDED)$/.test(answer));
        assert.equal(granted.length, 2);
        assert.equal((await counters(ledger, a)).reserved, 900);
      },
    },
  ],
  'CAP-STATE': [
    {
      name: 'CAP-STATE: what is over the limit is all in overrun, by finalize, reap and late',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const over = await hold(ledger, [line(a, { amount: 500 })]);
        const reaped = await sentHold(ledger, [line(a, { amount: 300 })], usd(350), leaseMs);
        const late = await sentHold(ledger, [line(a, { amount: 200 })], usd(10), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([reaped, late]);
        await ledger.finalize(ending(over, usd(700)));
        await ledger.finalize(ending(late, usd(260)));
        const { committed, overrun, reserved } = await counters(ledger, a);
        assert.deepEqual([committed, reserved, overrun], [1310, 0, 500]);
        assert.ok(committed + reserved - 1000 <= overrun);
      },
    },
  ],
  ATOMIC: [
    {
      name: 'ATOMIC: 16 envelopes or none, whichever of them is full',
      async check({ ledger }) {
        const all = Array.from({ length: 16 }, () => newEnvelope());
        for (const full of [all[0]!, all[7]!, all[15]!]) {
          const lines = all.map((envelope) =>
            line(envelope, { amount: 10, limit: envelope === full ? 5 : 1000 }),
          );
          const versioned = lines.map((one) => ({ ...one, version: 1 + all.indexOf(full) }));
          assert.equal(
            (await ledger.reserve(request(versioned))).answer,
            'BUDGET_EXCEEDED',
            `line ${all.indexOf(full)}`,
          );
        }
        for (const envelope of all) assert.equal((await counters(ledger, envelope)).reserved, 0);
        const raised = all.map((envelope) => line(envelope, { amount: 10, version: 99 }));
        assert.equal((await ledger.reserve(request(raised))).answer, 'RESERVED');
        for (const envelope of all) assert.equal((await counters(ledger, envelope)).reserved, 10);
      },
    },
  ],
  NONNEG: [
    {
      name: 'NONNEG: no order of endings and corrections takes a counter below 0',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(60), leaseMs);
        const other = await hold(ledger, [line(a)]);
        await pass(leaseMs + 1);
        const steps = [
          () => ledger.reap([id]),
          () => ledger.adjust(correction(newId(), { [a]: -1000 })),
          () => ledger.release(id),
          () => ledger.finalize(ending(id, usd(0))),
          () => ledger.release(other),
          () => ledger.release(other),
          () => ledger.adjust(correction(newId(), { [a]: -1 })),
        ];
        for (const step of steps) {
          await step();
          for (const value of Object.values(await counters(ledger, a))) assert.ok(value >= 0);
        }
      },
    },
  ],
  RESERVED: [
    {
      name: 'RESERVED: what is reserved is the sum of open holds through every change of them',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const lines = [line(a, { limit: null })];
        const first = await hold(ledger, lines);
        const second = await hold(ledger, lines, { leaseMs });
        const third = await hold(ledger, lines);
        const seen: number[] = [];
        const look = async () => seen.push((await counters(ledger, a)).reserved);
        await look();
        await ledger.extend({ id: first, more: usd(50), leaseMs: 60_000 });
        await look();
        await ledger.finalize(ending(third, usd(500)));
        await look();
        await pass(leaseMs + 1);
        await ledger.reap([first, second]);
        await look();
        await ledger.release(first);
        await look();
        assert.deepEqual(seen, [300, 350, 250, 150, 0]);
      },
    },
  ],
  COMMITTED: [
    {
      name: 'COMMITTED: what is committed is the sum of every event, line by line',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const booked: number[] = [];
        const book = (event: { lines: { a: number }[] } | undefined) =>
          booked.push(event?.lines[0]?.a ?? Number.NaN);
        const finalized = await hold(ledger, [line(a)]);
        const reaped = await sentHold(ledger, [line(a)], usd(33), leaseMs);
        const released = await hold(ledger, [line(a)]);
        book((await ledger.finalize(ending(finalized, usd(120)))).event);
        await pass(leaseMs + 1);
        book((await ledger.reap([reaped])).results[0]?.event);
        book((await ledger.finalize(ending(reaped, usd(21)))).event);
        await ledger.release(released);
        book((await ledger.finalize(ending(released, usd(9)))).event);
        book((await ledger.adjust(correction(newId(), { [a]: -40 }))).event);
        assert.deepEqual(booked, [120, 33, -12, 9, -40]);
        assert.equal((await counters(ledger, a)).committed, 110);
      },
    },
  ],
  ONCE: [
    {
      name: 'ONCE: of finalize, release and reap at once, one ends it',
      async check({ ledger, pass }) {
        for (const order of [0, 1, 2]) {
          const a = newEnvelope();
          const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
          await pass(leaseMs + 1);
          const verbs = [
            async () => (await ledger.finalize(ending(id, usd(50)))).answer,
            async () => (await ledger.release(id)).answer,
            async () => (await ledger.reap([id])).results[0]!.answer,
          ];
          const turned = [...verbs.slice(order), ...verbs.slice(0, order)];
          const answers = await Promise.all(turned.map((verb) => verb()));
          const endings = answers.filter((answer) => /^(FINALIZED|RELEASED|REAPED)$/.test(answer));
          assert.equal(endings.length, 1, answers.join());
          assert.equal((await counters(ledger, a)).reserved, 0);
        }
      },
    },
  ],
  IDEMP: [
    {
      name: 'IDEMP: every verb with an id, three times each, ends where once would have',
      async check({ ledger }) {
        const a = newEnvelope();
        const [kept, dropped] = [request([line(a)]), request([line(a)])];
        const fix = correction(newId(), { [a]: 7 });
        const thrice = async (verb: () => Promise<unknown>) => {
          for (let i = 0; i < 3; i++) await verb();
        };
        await thrice(() => ledger.reserve(kept));
        await thrice(() => ledger.reserve(dropped));
        await thrice(() => ledger.release(dropped.id));
        await thrice(() => ledger.finalize(ending(kept.id, usd(40))));
        await thrice(() => ledger.adjust(fix));
        await thrice(() => ledger.reserve(kept));
        assert.deepEqual(await counters(ledger, a), { committed: 47, reserved: 0, overrun: 0 });
        assert.equal((await ledger.state()).held, 0);
      },
    },
    {
      name: 'IDEMP: the same reserve 20 times at once holds once',
      async check({ ledger }) {
        const a = newEnvelope();
        const wanted = request([line(a)]);
        const replies = await Promise.all(Array.from({ length: 20 }, () => ledger.reserve(wanted)));
        assert.equal(count(replies, 'RESERVED'), 1);
        assert.equal(count(replies, 'ALREADY_RESERVED'), 19);
        assert.equal((await counters(ledger, a)).reserved, 100);
      },
    },
  ],
  'DENY-CLEAN': [
    {
      name: 'DENY-CLEAN: a refusal leaves every counter as it was',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()];
        const id = await hold(ledger, [line(a), line(b)]);
        await ledger.finalize(ending(id, usd(130)));
        const running = await hold(ledger, [line(a), line(b)]);
        const look = async () => [await counters(ledger, a), await counters(ledger, b)];
        const before = await look();
        const refusals = [
          await ledger.reserve(request([line(a), line(b, { amount: 771 })])),
          await ledger.extend({ id: running, more: usd(771), leaseMs }),
          await ledger.reserve(request([line(a, { amount: 3 })], { id: running })),
          await ledger.reserve(request([line(a, { amount: -3 })])),
        ];
        assert.deepEqual(
          refusals.map(({ answer }) => answer),
          ['BUDGET_EXCEEDED', 'DENIED', 'CONFLICT', 'INVALID_INPUT'],
        );
        assert.deepEqual(await look(), before);
      },
    },
  ],
  MONO: [
    {
      name: 'MONO: seq rises by one with every mutation and stands with everything else',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        let { seq } = await ledger.state();
        const moves = async (by: number, verb: () => Promise<{ seq: number; answer: string }>) => {
          const reply = await verb();
          assert.equal(reply.seq - seq, by, reply.answer);
          seq = reply.seq;
        };
        const wanted = request([line(a)], { leaseMs });
        const { id } = wanted;
        const beats = [{ id, seen: usd(1) }];
        await moves(1, () => ledger.reserve(wanted));
        await moves(0, () => ledger.reserve(wanted));
        await moves(1, () => ledger.extend({ id, more: usd(1), leaseMs }));
        await moves(0, () => ledger.extend({ id, more: usd(9999), leaseMs }));
        await moves(1, () => ledger.beat({ owner: 'gateway-1', leaseMs, beats }));
        await pass(leaseMs + 1);
        await moves(1, () => ledger.reap([id]));
        await moves(0, () => ledger.reap([id]));
        await moves(0, () => ledger.extend({ id, more: usd(1), leaseMs }));
        await moves(1, () => ledger.finalize(ending(id, usd(1))));
        await moves(0, () => ledger.finalize(ending(id, usd(1))));
        await moves(0, () => ledger.release(id));
        const limit = { envelope: a, limit: 3, mode: 'block', version: 2 } as const;
        await moves(1, () => ledger.setLimits([limit]));
        await moves(0, () => ledger.setLimits([limit]));
        const fix = correction(newId(), { [a]: 1 });
        await moves(1, () => ledger.adjust(fix));
        await moves(0, () => ledger.adjust(fix));
      },
    },
  ],
  PIN: [
    {
      name: 'PIN: roll-over, limit, mode and version leave a running reservation as it is',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.setLimits([{ envelope: a, limit: 1, mode: 'warn', version: 8 }]);
        await hold(ledger, [line(a, { label: '2026-12', version: 9, limit: 5000 })]);
        const { holds } = await ledger.holds({ offset: 0, limit: 9 });
        const pinned = holds.find((open) => open.id === id)?.lines[0];
        assert.deepEqual([pinned?.label, pinned?.amount], [LABEL, 100]);
        const reply = await ledger.finalize(ending(id, usd(90)));
        assert.deepEqual(reply.event?.lines, [{ e: a, l: LABEL, u: 'nano_usd', a: 90, o: 0 }]);
        assert.equal((await counters(ledger, a)).committed, 90);
        assert.equal((await counters(ledger, a, { label: '2026-12' })).committed, 0);
      },
    },
  ],
  PRECISION: [
    {
      name: 'PRECISION: amounts up to 2^53-1 are held, compared and booked to the unit',
      async check({ ledger }) {
        for (const most of [100_000_000_000_001, 9_007_199_254_740_991]) {
          const a = newEnvelope();
          const first = await ledger.reserve(request([line(a, { amount: most - 1, limit: most })]));
          assert.equal(first.balances[0]?.reserved, most - 1);
          assert.equal(first.balances[0]?.limit, most);
          const id = await hold(ledger, [line(a, { amount: 1, limit: most })]);
          const refused = await ledger.reserve(request([line(a, { amount: 1, limit: most })]));
          assert.equal(refused.shortages?.[0]?.reserved, most);
          const reply = await ledger.finalize(ending(id, usd(1)));
          assert.equal(reply.balances[0]?.committed, 1);
          assert.equal(reply.balances[0]?.reserved, most - 1);
          const b = newEnvelope();
          const whole = await hold(ledger, [line(b, { amount: 0, limit: most })]);
          const booked = await ledger.finalize(ending(whole, usd(most)));
          assert.equal(booked.event?.lines[0]?.a, most);
          assert.equal(booked.event?.lines[0]?.o, most);
          assert.deepEqual(await counters(ledger, b), {
            committed: most,
            reserved: 0,
            overrun: most,
          });
        }
      },
    },
    {
      name: 'PRECISION: what is no amount never meets a comparison',
      async check({ ledger }) {
        const a = newEnvelope();
        for (const amount of BAD_AMOUNTS) {
          const reply = await ledger.reserve(request([line(a, { amount })]));
          assert.notEqual(reply.answer, 'RESERVED', String(amount));
        }
        assert.equal((await counters(ledger, a)).reserved, 0);
      },
    },
  ],
  BOUNDED: [
    {
      name: 'BOUNDED: 16 lines, 64 beats and 64 reaps are done in one step each',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const ids: string[] = [];
        for (let i = 0; i < 64; i++) {
          ids.push(await hold(ledger, [line(a, { amount: 1 })], { leaseMs: 5000 }));
        }
        const beats = ids.map((id) => ({ id, seen: amounts() }));
        const beaten = await ledger.beat({ owner: 'gateway-1', leaseMs, beats });
        assert.deepEqual(beaten.gone, []);
        await pass(leaseMs + 1);
        const { results } = await ledger.reap(await allOverdue(ledger));
        assert.equal(results.filter(({ answer }) => answer === 'REAPED').length, 64);
        assert.equal((await counters(ledger, a)).reserved, 0);
        const lines = Array.from({ length: 16 }, () => line(newEnvelope()));
        await hold(ledger, lines);
      },
    },
  ],
};

function count(replies: readonly ReserveReply[], answer: ReserveReply['answer']): number {
  return replies.filter((reply) => reply.answer === answer).length;
}

async function allOverdue(ledger: Ledger): Promise<string[]> {
  const ids = await ledger.overdue(64);
  assert.equal(ids.length, 64);
  return ids;
}
