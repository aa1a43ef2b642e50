// What release promises, answer by answer.

import assert from 'node:assert/strict';
import type { VerbContract } from '../ledger-contract.js';
import {
  counters,
  ending,
  hold,
  line,
  newEnvelope,
  newId,
  request,
  SHORT_LEASE_MS,
  sentHold,
  usd,
} from '../subject.js';

const leaseMs = SHORT_LEASE_MS;

export const release: VerbContract<'release'> = {
  RELEASED: [
    {
      name: 'gives everything back and books nothing, in either phase',
      async check({ ledger }) {
        const a = newEnvelope();
        const held = await hold(ledger, [line(a)]);
        const sent = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await ledger.extend({ id: sent, more: usd(50), leaseMs });
        const { seq } = await ledger.state();
        const first = await ledger.release(sent);
        assert.equal(first.answer, 'RELEASED');
        assert.equal(first.seq, seq + 1);
        assert.equal(first.balances[0]?.reserved, 100);
        assert.equal((await ledger.release(held)).answer, 'RELEASED');
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 0, overrun: 0 });
        assert.equal((await ledger.state()).held, 0);
      },
    },
    {
      name: 'works while admission is closed',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        await ledger.closeAdmission();
        assert.equal((await ledger.release(id)).answer, 'RELEASED');
      },
    },
  ],
  ALREADY_RELEASED: [
    {
      name: 'is the answer from then on, and changes nothing',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const other = await hold(ledger, [line(a)]);
        const { seq } = await ledger.release(id);
        const again = await ledger.release(id);
        assert.equal(again.answer, 'ALREADY_RELEASED');
        assert.equal(again.seq, seq);
        assert.equal((await counters(ledger, a)).reserved, 100);
        await ledger.release(other);
      },
    },
    {
      name: 'is the answer for a refused id, which never held anything',
      async check({ ledger }) {
        const refused = request([line(newEnvelope(), { limit: 1 })]);
        await ledger.reserve(refused);
        assert.equal((await ledger.release(refused.id)).answer, 'ALREADY_RELEASED');
        assert.equal((await ledger.reserve(refused)).answer, 'BUDGET_EXCEEDED');
      },
    },
  ],
  ALREADY_FINALIZED: [
    {
      name: 'leaves what was booked',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(id, usd(40)));
        const { seq } = await ledger.state();
        const reply = await ledger.release(id);
        assert.equal(reply.answer, 'ALREADY_FINALIZED');
        assert.equal(reply.seq, seq);
        assert.equal((await counters(ledger, a)).committed, 40);
      },
    },
  ],
  ALREADY_REAPED: [
    {
      name: 'leaves what was charged, before and after a late finalize',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        assert.equal((await ledger.release(id)).answer, 'ALREADY_REAPED');
        await ledger.finalize(ending(id, usd(35)));
        assert.equal((await ledger.release(id)).answer, 'ALREADY_REAPED');
        assert.equal((await counters(ledger, a)).committed, 35);
      },
    },
  ],
  VOIDED_AHEAD: [
    {
      name: 'remembers a release that came before its reserve, once',
      async check({ ledger }) {
        const id = newId();
        const { seq } = await ledger.state();
        const first = await ledger.release(id);
        assert.equal(first.answer, 'VOIDED_AHEAD');
        assert.equal(first.seq, seq + 1);
        const again = await ledger.release(id);
        assert.equal(again.answer, 'VOIDED_AHEAD');
        assert.equal(again.seq, seq + 1);
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets an empty id',
      async check({ ledger }) {
        const { seq } = await ledger.state();
        assert.equal((await ledger.release('')).answer, 'INVALID_INPUT');
        assert.equal((await ledger.state()).seq, seq);
      },
    },
  ],
  LEDGER_LOST: 'redis only',
  STALE_EPOCH: 'redis only',
};
