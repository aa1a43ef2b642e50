// What reserve promises, answer by answer.

import assert from 'node:assert/strict';
import type { VerbContract } from '../ledger-contract.js';
import {
  amounts,
  counters,
  ending,
  figures,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  request,
  SHORT_LEASE_MS,
  usd,
} from '../subject.js';
import { BAD_AMOUNTS, TOMBSTONE_MS } from './bad-input.js';

export const reserve: VerbContract<'reserve'> = {
  RESERVED: [
    {
      name: 'holds the amount on every line and answers the balances after it',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()].sort() as [string, string];
        const before = (await ledger.state()).seq;
        const reply = await ledger.reserve(request([line(a), line(b, { limit: null })]));
        assert.equal(reply.answer, 'RESERVED');
        assert.equal(reply.seq, before + 1);
        assert.equal(reply.shortages, undefined);
        const shared = { label: LABEL, unit: 'nano_usd', mode: 'block', committed: 0, overrun: 0 };
        assert.deepEqual(reply.balances, [
          { ...shared, envelope: a, limit: 1000, reserved: 100 },
          { ...shared, envelope: b, limit: null, reserved: 100 },
        ]);
      },
    },
    {
      name: 'tells ledger time and epoch',
      async check({ ledger }) {
        const reply = await ledger.reserve(request([line(newEnvelope())]));
        const state = await ledger.state();
        assert.equal(reply.epoch, state.epoch);
        assert.ok(Number.isSafeInteger(reply.timeMs));
        assert.ok(Math.abs(state.timeMs - reply.timeMs) < 5000);
        assert.ok(Math.abs(ledger.nowMs() - reply.timeMs) < 5000);
      },
    },
    {
      name: 'fills an envelope exactly to its limit',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { amount: 999 })]);
        const reply = await ledger.reserve(request([line(a, { amount: 1 })]));
        assert.equal(reply.answer, 'RESERVED');
        assert.equal(reply.balances[0]?.reserved, 1000);
      },
    },
    {
      name: 'passes a limit that only warns, and counts',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { amount: 5000, mode: 'warn' })]);
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 5000, overrun: 0 });
      },
    },
    {
      name: 'counts without a limit where the limit is null',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { amount: 9_000_000_000_000_000, limit: null })]);
        assert.equal((await counters(ledger, a)).reserved, 9_000_000_000_000_000);
      },
    },
    {
      name: 'holds each unit in its own envelope',
      async check({ ledger }) {
        const [m, t, r, c] = ['m', 't', 'r', 'c'].map((name) => newEnvelope(name)) as [
          string,
          string,
          string,
          string,
        ];
        await hold(ledger, [
          line(m, { amount: 7 }),
          line(t, { unit: 'tokens', amount: 30, label: 'ever' }),
          line(r, { unit: 'requests', amount: 1, label: '2026-11-21T09:41' }),
          line(c, { unit: 'concurrency', amount: 1, label: 'ever' }),
        ]);
        assert.equal((await counters(ledger, m)).reserved, 7);
        const other = (envelope: string, label: string, unit: 'tokens' | 'requests') =>
          counters(ledger, envelope, { label, unit });
        assert.equal((await other(t, 'ever', 'tokens')).reserved, 30);
        assert.equal((await other(r, '2026-11-21T09:41', 'requests')).reserved, 1);
        assert.equal((await other(c, 'ever', 'requests')).reserved, 1);
      },
    },
    {
      name: 'grants a call that no envelope is for',
      async check({ ledger }) {
        const wanted = request([]);
        const reply = await ledger.reserve(wanted);
        assert.equal(reply.answer, 'RESERVED');
        assert.deepEqual(reply.balances, []);
        assert.equal((await ledger.release(wanted.id)).answer, 'RELEASED');
      },
    },
    {
      name: 'decides by the higher version of a limit, whoever brought it',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { version: 5, limit: 150 })]);
        const old = await ledger.reserve(request([line(a, { version: 4, limit: 9000 })]));
        assert.equal(old.answer, 'BUDGET_EXCEEDED');
        assert.equal(old.shortages?.[0]?.limit, 150);
        const raised = await ledger.reserve(request([line(a, { version: 6, limit: 200 })]));
        assert.equal(raised.answer, 'RESERVED');
        assert.equal(raised.balances[0]?.limit, 200);
      },
    },
    {
      name: 'keeps what it was told first where two limits have the same version',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { version: 5, limit: 150 })]);
        const reply = await ledger.reserve(request([line(a, { version: 5, limit: 9000 })]));
        assert.equal(reply.answer, 'BUDGET_EXCEEDED');
        assert.equal(reply.shortages?.[0]?.limit, 150);
      },
    },
    {
      name: 'counts each label of an envelope by itself',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a, { amount: 1000 })]);
        await hold(ledger, [line(a, { amount: 1000, label: '2026-12' })]);
        assert.equal((await counters(ledger, a)).reserved, 1000);
        assert.equal((await counters(ledger, a, { label: '2026-12' })).reserved, 1000);
      },
    },
  ],
  ALREADY_RESERVED: [
    {
      name: 'answers a repeated request without holding again',
      async check({ ledger }) {
        const a = newEnvelope();
        const wanted = request([line(a)]);
        const first = await ledger.reserve(wanted);
        const again = await ledger.reserve(wanted);
        assert.equal(again.answer, 'ALREADY_RESERVED');
        assert.equal(again.seq, first.seq);
        assert.deepEqual(again.balances, first.balances);
        assert.equal((await ledger.state()).held, 1);
      },
    },
    {
      name: 'stays the answer after the hold has ended, and holds nothing',
      async check({ ledger }) {
        const a = newEnvelope();
        const [finalized, released] = [request([line(a)]), request([line(a)])];
        await ledger.reserve(finalized);
        await ledger.reserve(released);
        await ledger.finalize(ending(finalized.id, usd(40)));
        await ledger.release(released.id);
        assert.equal((await ledger.reserve(finalized)).answer, 'ALREADY_RESERVED');
        assert.equal((await ledger.reserve(released)).answer, 'ALREADY_RESERVED');
        assert.deepEqual(await counters(ledger, a), { committed: 40, reserved: 0, overrun: 0 });
      },
    },
    {
      name: 'stays the answer when the hold was extended in between',
      async check({ ledger }) {
        const a = newEnvelope();
        const wanted = request([line(a)]);
        await ledger.reserve(wanted);
        await ledger.extend({ id: wanted.id, more: usd(50), leaseMs: SHORT_LEASE_MS });
        assert.equal((await ledger.reserve(wanted)).answer, 'ALREADY_RESERVED');
        assert.equal((await counters(ledger, a)).reserved, 150);
      },
    },
  ],
  CONFLICT: [
    {
      name: 'meets the same id with another amount, label or envelope, and changes nothing',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()];
        const id = await hold(ledger, [line(a)]);
        const { seq } = await ledger.state();
        for (const other of [
          [line(a, { amount: 101 })],
          [line(a, { label: '2026-12' })],
          [line(b)],
          [line(a), line(b)],
          [],
        ]) {
          assert.equal((await ledger.reserve(request(other, { id }))).answer, 'CONFLICT');
        }
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).reserved, 100);
        assert.equal((await counters(ledger, b)).reserved, 0);
      },
    },
    {
      name: 'also meets it after the end and after a refusal',
      async check({ ledger }) {
        const a = newEnvelope();
        const ended = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(ended, usd(1)));
        const refused = newId();
        await ledger.reserve(request([line(a, { amount: 5000 })], { id: refused }));
        for (const id of [ended, refused]) {
          const reply = await ledger.reserve(request([line(a, { amount: 2 })], { id }));
          assert.equal(reply.answer, 'CONFLICT');
        }
      },
    },
  ],
  BUDGET_EXCEEDED: [
    {
      name: 'names every line without room, in the order of the request, and holds nothing',
      async check({ ledger }) {
        const [a, b, c] = [newEnvelope(), newEnvelope(), newEnvelope()].sort() as [
          string,
          string,
          string,
        ];
        const spent = await hold(ledger, [line(a, { amount: 600 })]);
        await ledger.finalize(ending(spent, usd(600)));
        await hold(ledger, [line(a, { amount: 300 })]);
        const { seq } = await ledger.state();
        const lines = [
          line(a, { amount: 101 }),
          line(b, { amount: 101 }),
          line(c, { amount: 101, limit: 100 }),
        ];
        const reply = await ledger.reserve(request(lines));
        assert.equal(reply.answer, 'BUDGET_EXCEEDED');
        const shared = { label: LABEL, unit: 'nano_usd', needed: 101 };
        assert.deepEqual(reply.shortages, [
          { ...shared, envelope: a, limit: 1000, committed: 600, reserved: 300 },
          { ...shared, envelope: c, limit: 100, committed: 0, reserved: 0 },
        ]);
        assert.deepEqual(reply.balances.map(figures), [
          { committed: 600, reserved: 300, overrun: 0 },
          { committed: 0, reserved: 0, overrun: 0 },
          { committed: 0, reserved: 0, overrun: 0 },
        ]);
        assert.equal(reply.seq, seq + 1, 'it is remembered, which is a mutation');
        assert.equal((await counters(ledger, b)).reserved, 0);
      },
    },
    {
      name: 'is remembered for the id: room that comes later does not turn it into a hold',
      async check({ ledger }) {
        const a = newEnvelope();
        const blocker = await hold(ledger, [line(a, { amount: 1000 })]);
        const wanted = request([line(a)]);
        const first = await ledger.reserve(wanted);
        assert.equal(first.answer, 'BUDGET_EXCEEDED');
        await ledger.release(blocker);
        const { seq } = await ledger.state();
        const again = await ledger.reserve(wanted);
        assert.equal(again.answer, 'BUDGET_EXCEEDED');
        assert.deepEqual(again.shortages, first.shortages);
        assert.equal(again.seq, seq);
        assert.equal((await ledger.reserve(request([line(a)]))).answer, 'RESERVED');
      },
    },
    {
      name: 'refuses everything at limit 0, also a call that costs nothing',
      async check({ ledger }) {
        const a = newEnvelope();
        for (const amount of [0, 1]) {
          const reply = await ledger.reserve(request([line(a, { amount, limit: 0 })]));
          assert.equal(reply.answer, 'BUDGET_EXCEEDED');
          assert.equal(reply.shortages?.[0]?.limit, 0);
        }
      },
    },
    {
      name: 'follows an overrun until there is room again',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { amount: 1000 })]);
        await ledger.finalize(ending(id, usd(1500)));
        const reply = await ledger.reserve(request([line(a, { amount: 0 })]));
        assert.equal(reply.answer, 'BUDGET_EXCEEDED');
      },
    },
    {
      name: 'keeps the newer limit that it was told with',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.reserve(request([line(a, { version: 9, limit: 50 })]));
        const reply = await ledger.reserve(request([line(a, { version: 8, limit: 1000 })]));
        assert.equal(reply.answer, 'BUDGET_EXCEEDED');
        assert.equal(reply.shortages?.[0]?.limit, 50);
      },
    },
    {
      name: 'is forgotten with its tombstone',
      where: 'memory only',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const blocker = await hold(ledger, [line(a, { amount: 1000 })]);
        const wanted = request([line(a)]);
        await ledger.reserve(wanted);
        await ledger.release(blocker);
        await pass(TOMBSTONE_MS - 1);
        assert.equal((await ledger.reserve(wanted)).answer, 'BUDGET_EXCEEDED');
        await pass(1);
        assert.equal((await ledger.reserve(wanted)).answer, 'RESERVED');
      },
    },
  ],
  VOIDED: [
    {
      name: 'meets the reserve that comes after its own release, every time',
      async check({ ledger }) {
        const a = newEnvelope();
        const wanted = request([line(a)]);
        assert.equal((await ledger.release(wanted.id)).answer, 'VOIDED_AHEAD');
        const { seq } = await ledger.state();
        assert.equal((await ledger.reserve(wanted)).answer, 'VOIDED');
        assert.equal((await ledger.reserve(wanted)).answer, 'VOIDED');
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).reserved, 0);
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets what is no amount, no order, no lease or too much, and changes nothing',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()].sort() as [string, string];
        const { seq } = await ledger.state();
        const good = request([line(a)]);
        const bad = [
          ...BAD_AMOUNTS.map((amount) => ({ ...good, lines: [line(a, { amount })] })),
          ...BAD_AMOUNTS.map((limit) => ({ ...good, lines: [line(a, { limit })] })),
          { ...good, lines: [line(a, { version: -1 })] },
          { ...good, lines: [line(b), line(a)] },
          { ...good, lines: [line(a), line(a)] },
          { ...good, lines: [line(a, { label: '2026-12' }), line(a)] },
          { ...good, lines: [line('')] },
          { ...good, lines: many(17) },
          { ...good, id: '' },
          { ...good, leaseMs: 0 },
          { ...good, leaseMs: Number.NaN },
          { ...good, stub: JSON.stringify({ text: 'x'.repeat(2048) }) },
        ];
        for (const wanted of bad) {
          const reply = await ledger.reserve(wanted);
          assert.equal(reply.answer, 'INVALID_INPUT', JSON.stringify(wanted));
        }
        const state = await ledger.state();
        assert.equal(state.seq, seq);
        assert.equal(state.held, 0);
        assert.equal((await ledger.reserve(good)).answer, 'RESERVED', 'the id is not spent');
      },
    },
    {
      name: 'meets a hold that would take a counter past 2^53-1',
      async check({ ledger }) {
        const a = newEnvelope();
        const most = Number.MAX_SAFE_INTEGER;
        await hold(ledger, [line(a, { amount: most, limit: null })]);
        const reply = await ledger.reserve(request([line(a, { amount: 1, limit: null })]));
        assert.equal(reply.answer, 'INVALID_INPUT');
        assert.equal((await counters(ledger, a)).reserved, most);
      },
    },
  ],
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed, and nothing is held or remembered',
      async check({ ledger }) {
        const a = newEnvelope();
        const known = request([line(a)]);
        await ledger.reserve(known);
        const { epoch } = await ledger.state();
        await ledger.closeAdmission();
        const wanted = request([line(a)]);
        assert.equal((await ledger.reserve(wanted)).answer, 'LEDGER_LOST');
        assert.equal((await ledger.reserve(known)).answer, 'LEDGER_LOST');
        await ledger.openAdmission(epoch + 1);
        assert.equal((await ledger.reserve(wanted)).answer, 'RESERVED');
        assert.equal((await ledger.reserve(known)).answer, 'ALREADY_RESERVED');
        assert.equal((await ledger.extend(renewal(known.id))).answer, 'EXTENDED');
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};

function many(count: number) {
  return Array.from({ length: count }, (_, i) => line(`limit:${String(i).padStart(2, '0')}`));
}

function renewal(id: string) {
  return { id, more: amounts(), leaseMs: SHORT_LEASE_MS };
}
