// What extend promises, answer by answer.

import assert from 'node:assert/strict';
import type { VerbContract } from '../ledger-contract.js';
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
import { BAD_AMOUNTS, TOMBSTONE_MS } from './bad-input.js';

const leaseMs = SHORT_LEASE_MS;
const NONE = amounts();

export const extend: VerbContract<'extend'> = {
  EXTENDED: [
    {
      name: 'holds that much more on every line of the unit, and on no other',
      async check({ ledger }) {
        const [a, t] = [newEnvelope('a'), newEnvelope('t')];
        const id = await hold(ledger, [line(a), line(t, { unit: 'tokens', amount: 10 })]);
        const { seq } = await ledger.state();
        const reply = await ledger.extend({ id, more: amounts({ nano_usd: 900 }), leaseMs });
        assert.equal(reply.answer, 'EXTENDED');
        assert.equal(reply.seq, seq + 1);
        assert.deepEqual(
          reply.balances.map((balance) => [balance.envelope, balance.reserved]),
          [
            [a, 1000],
            [t, 10],
          ],
        );
        const { holds } = await ledger.holds({ offset: 0, limit: 10 });
        assert.deepEqual(
          holds[0]?.lines.map(({ amount }) => amount),
          [1000, 10],
        );
      },
    },
    {
      name: 'renews the lease',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())], { leaseMs });
        const reply = await ledger.extend({ id, more: NONE, leaseMs: 60_000 });
        assert.equal(reply.answer, 'EXTENDED');
        await pass(leaseMs + 1);
        assert.deepEqual(await ledger.overdue(10), []);
        const { holds } = await ledger.holds({ offset: 0, limit: 10 });
        assert.equal(holds[0]?.leaseEndsAtMs, reply.timeMs + 60_000);
      },
    },
    {
      name: 'revives a hold that is overdue but not reaped',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())], { leaseMs });
        await pass(leaseMs + 1);
        const reply = await ledger.extend({ id, more: NONE, leaseMs: 60_000 });
        assert.equal(reply.answer, 'EXTENDED');
        assert.equal((await ledger.reap([id])).results[0]?.answer, 'NOT_DUE');
      },
    },
    {
      name: 'leaves the phase and the floor as they are',
      async check({ ledger }) {
        const held = await hold(ledger, [line(newEnvelope())]);
        const sent = await sentHold(ledger, [line(newEnvelope())], usd(30), leaseMs);
        for (const id of [held, sent]) await ledger.extend({ id, more: usd(1), leaseMs });
        const { holds } = await ledger.holds({ offset: 0, limit: 2 });
        const told = [held, sent].map((id) => holds.find((open) => open.id === id));
        assert.deepEqual(
          told.map((open) => [open?.phase, open?.floor]),
          [
            ['held', NONE],
            ['sent', usd(30)],
          ],
        );
      },
    },
    {
      name: 'with nothing more is granted even where the envelope is over its limit',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.setLimits([{ envelope: a, limit: 0, mode: 'block', version: 2 }]);
        const reply = await ledger.extend({ id, more: NONE, leaseMs });
        assert.equal(reply.answer, 'EXTENDED');
        assert.equal(reply.balances[0]?.limit, 0);
      },
    },
    {
      name: 'is always granted where the limit only warns',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { mode: 'warn' })]);
        const reply = await ledger.extend({ id, more: usd(5000), leaseMs });
        assert.equal(reply.answer, 'EXTENDED');
        assert.equal(reply.balances[0]?.reserved, 5100);
      },
    },
  ],
  DENIED: [
    {
      name: 'leaves hold, lease, phase and counters as they were, and names the shortage',
      async check({ ledger }) {
        const [a, b] = [newEnvelope('a'), newEnvelope('b')];
        const id = await hold(ledger, [line(a), line(b, { limit: 150 })]);
        const before = await ledger.holds({ offset: 0, limit: 1 });
        const { seq } = await ledger.state();
        const reply = await ledger.extend({ id, more: usd(51), leaseMs: 5 });
        assert.equal(reply.answer, 'DENIED');
        assert.equal(reply.seq, seq);
        assert.deepEqual(reply.shortages, [
          {
            envelope: b,
            label: LABEL,
            unit: 'nano_usd',
            needed: 51,
            limit: 150,
            committed: 0,
            reserved: 100,
          },
        ]);
        assert.deepEqual(await ledger.holds({ offset: 0, limit: 1 }), before);
        assert.equal((await counters(ledger, a)).reserved, 100);
        assert.equal((await counters(ledger, b)).reserved, 100);
      },
    },
    {
      name: 'is not remembered: with room the same extend is granted',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const blocker = await hold(ledger, [line(a, { amount: 900 })]);
        const more = { id, more: usd(1), leaseMs };
        assert.equal((await ledger.extend(more)).answer, 'DENIED');
        await ledger.release(blocker);
        assert.equal((await ledger.extend(more)).answer, 'EXTENDED');
      },
    },
    {
      name: 'follows a limit lowered while the call runs',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.setLimits([{ envelope: a, limit: 100, mode: 'block', version: 2 }]);
        const reply = await ledger.extend({ id, more: usd(1), leaseMs });
        assert.equal(reply.answer, 'DENIED');
        assert.equal(reply.shortages?.[0]?.limit, 100);
      },
    },
  ],
  GONE: [
    {
      name: 'tells how it ended',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const [finalized, released, reaped] = [
          await hold(ledger, [line(a)]),
          await hold(ledger, [line(a)]),
          await hold(ledger, [line(a)], { leaseMs }),
        ];
        await ledger.finalize(ending(finalized, usd(1)));
        await ledger.release(released);
        await pass(leaseMs + 1);
        await ledger.reap([reaped]);
        const { seq } = await ledger.state();
        const told = [];
        for (const id of [finalized, released, reaped]) {
          const reply = await ledger.extend({ id, more: usd(5), leaseMs });
          assert.equal(reply.answer, 'GONE');
          told.push(reply.ending);
        }
        assert.deepEqual(told, ['finalized', 'released', 'reaped']);
        assert.deepEqual(await counters(ledger, a), { committed: 1, reserved: 0, overrun: 0 });
        assert.equal((await ledger.state()).seq, seq);
      },
    },
    {
      name: 'knows nothing of an id never seen or refused',
      async check({ ledger }) {
        const refused = request([line(newEnvelope(), { limit: 1 })]);
        await ledger.reserve(refused);
        for (const id of [newId(), refused.id]) {
          const reply = await ledger.extend({ id, more: NONE, leaseMs });
          assert.equal(reply.answer, 'GONE');
          assert.equal(reply.ending, 'unknown');
        }
      },
    },
    {
      name: 'stays reaped after a late finalize',
      async check({ ledger, pass }) {
        const id = await sentHold(ledger, [line(newEnvelope())], usd(5), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        await ledger.finalize(ending(id, usd(9)));
        assert.equal((await ledger.extend({ id, more: NONE, leaseMs })).ending, 'reaped');
      },
    },
    {
      name: 'forgets the ending with its tombstone',
      where: 'memory only',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        await ledger.release(id);
        await pass(TOMBSTONE_MS);
        assert.equal((await ledger.extend({ id, more: NONE, leaseMs })).ending, 'unknown');
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets what is no amount or no lease, and changes nothing',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { limit: null })]);
        const { seq } = await ledger.state();
        const bad = [
          ...BAD_AMOUNTS.map((value) => ({ id, more: usd(value), leaseMs })),
          { id, more: NONE, leaseMs: 0 },
          { id: '', more: NONE, leaseMs },
          { id, more: usd(Number.MAX_SAFE_INTEGER), leaseMs },
        ];
        for (const wanted of bad) {
          assert.equal((await ledger.extend(wanted)).answer, 'INVALID_INPUT');
        }
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).reserved, 100);
      },
    },
  ],
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const { epoch } = await ledger.state();
        await ledger.closeAdmission();
        assert.equal((await ledger.extend({ id, more: NONE, leaseMs })).answer, 'LEDGER_LOST');
        await ledger.openAdmission(epoch + 1);
        assert.equal((await ledger.extend({ id, more: NONE, leaseMs })).answer, 'EXTENDED');
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};
