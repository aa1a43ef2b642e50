// What setLimits and restore promise, answer by answer.

import assert from 'node:assert/strict';
import type { OpenHold, RestoreRequest } from '#src/stores/ledger/ledger.js';
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
  STUB,
  usd,
} from '../subject.js';
import { BAD_AMOUNTS } from './bad-input.js';

export const setLimits: VerbContract<'setLimits'> = {
  SET: [
    {
      name: 'keeps the newer limit and mode, and calls older ones stale',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()];
        const first = await ledger.setLimits([
          { envelope: a, limit: 500, mode: 'block', version: 5 },
          { envelope: b, limit: 500, mode: 'warn', version: 5 },
        ]);
        assert.equal(first.answer, 'SET');
        assert.deepEqual(first.stale, []);
        const second = await ledger.setLimits([
          { envelope: a, limit: 9, mode: 'warn', version: 4 },
          { envelope: b, limit: 600, mode: 'block', version: 6 },
        ]);
        assert.deepEqual(second.stale, [a]);
        const key = { label: LABEL, unit: 'nano_usd' } as const;
        const balances = await ledger.balances([
          { ...key, envelope: a },
          { ...key, envelope: b },
        ]);
        assert.deepEqual(
          balances.map(({ limit, mode }) => [limit, mode]),
          [
            [500, 'block'],
            [600, 'block'],
          ],
        );
      },
    },
    {
      name: 'changes nothing and is not stale where the version is the same',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.setLimits([{ envelope: a, limit: 500, mode: 'block', version: 5 }]);
        const { seq } = await ledger.state();
        const again = await ledger.setLimits([
          { envelope: a, limit: 500, mode: 'block', version: 5 },
        ]);
        assert.deepEqual(again.stale, []);
        assert.equal((await ledger.state()).seq, seq);
      },
    },
    {
      name: 'cancels nothing when a limit falls below what is used',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { amount: 800 })]);
        await ledger.setLimits([{ envelope: a, limit: 100, mode: 'block', version: 2 }]);
        assert.equal((await counters(ledger, a)).reserved, 800);
        assert.equal((await ledger.reserve(request([line(a)]))).answer, 'BUDGET_EXCEEDED');
        assert.equal((await ledger.finalize(ending(id, usd(700)))).answer, 'FINALIZED');
      },
    },
    {
      name: 'reaches every label of the envelope, also one not begun',
      async check({ ledger }) {
        const a = newEnvelope();
        await hold(ledger, [line(a)]);
        await ledger.setLimits([{ envelope: a, limit: 100, mode: 'block', version: 2 }]);
        const next = await ledger.reserve(request([line(a, { label: '2026-12', amount: 101 })]));
        assert.equal(next.answer, 'BUDGET_EXCEEDED');
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets a limit that is no amount, and sets none of the others',
      async check({ ledger }) {
        const a = newEnvelope();
        for (const limit of BAD_AMOUNTS) {
          const reply = await ledger.setLimits([
            { envelope: a, limit: 5, mode: 'block', version: 7 },
            { envelope: newEnvelope(), limit, mode: 'block', version: 7 },
          ]);
          assert.equal(reply.answer, 'INVALID_INPUT');
        }
        assert.equal((await ledger.reserve(request([line(a)]))).answer, 'RESERVED');
      },
    },
  ],
  LEDGER_LOST: 'redis only',
  STALE_EPOCH: 'redis only',
};

export const restore: VerbContract<'restore'> = {
  RESTORED: [
    {
      name: 'puts back the counters of a label',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.closeAdmission();
        const reply = await ledger.restore(totals(a, 700));
        assert.equal(reply.answer, 'RESTORED');
        assert.deepEqual(await counters(ledger, a), { committed: 700, reserved: 0, overrun: 3 });
        await reopen(ledger);
        assert.equal((await ledger.reserve(request([line(a, { amount: 301 })]))).answer, short);
        await hold(ledger, [line(a, { amount: 300 })]);
      },
    },
    {
      name: 'puts back a hold that its own reserve finds, asked once more',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.closeAdmission();
        const { timeMs } = await ledger.state();
        const open = openHold(a, timeMs + 60_000);
        await ledger.restore({ what: 'hold', hold: open });
        await reopen(ledger);
        const again = await ledger.reserve({ ...request([...open.lines]), id: open.id });
        assert.ok(again.answer === 'ALREADY_RESERVED' || again.answer === 'CONFLICT');
        assert.equal((await counters(ledger, a)).reserved, open.lines[0]!.amount);
      },
    },
    {
      name: 'puts back a hold as it was, over its limit too',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.closeAdmission();
        const { timeMs } = await ledger.state();
        const open = openHold(a, timeMs + 60_000, { lines: [line(a, { amount: 4000 })] });
        assert.equal((await ledger.restore({ what: 'hold', hold: open })).answer, 'RESTORED');
        assert.deepEqual((await ledger.holds({ offset: 0, limit: 9 })).holds, [open]);
        assert.equal((await counters(ledger, a)).reserved, 4000);
        await reopen(ledger);
        assert.equal((await ledger.reserve(request([line(a)]))).answer, short);
        const ended = await ledger.finalize(ending(open.id, usd(3500)));
        assert.equal(ended.answer, 'FINALIZED');
        assert.deepEqual(await counters(ledger, a), { committed: 3500, reserved: 0, overrun: 0 });
      },
    },
    {
      name: 'counters and holds of one label come in any order',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.closeAdmission();
        const { timeMs } = await ledger.state();
        await ledger.restore({ what: 'hold', hold: openHold(a, timeMs + 60_000) });
        assert.equal((await ledger.restore(totals(a, 700))).answer, 'RESTORED');
        assert.deepEqual(await counters(ledger, a), { committed: 700, reserved: 100, overrun: 3 });
      },
    },
    {
      name: 'a restored hold whose lease is over is reaped as any other',
      async check({ ledger }) {
        const a = newEnvelope();
        await ledger.closeAdmission();
        const { timeMs } = await ledger.state();
        const open = openHold(a, timeMs - 1, { phase: 'sent', floor: usd(30), seen: usd(45) });
        await ledger.restore({ what: 'hold', hold: open });
        await reopen(ledger);
        const [result] = (await ledger.reap([open.id])).results;
        assert.equal(result?.event?.lines[0]?.a, 45);
        assert.deepEqual(result?.event?.stub, STUB);
      },
    },
  ],
  EXISTS: [
    {
      name: 'leaves counters that were put back or booked on before',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()];
        const id = await hold(ledger, [line(b)]);
        await ledger.finalize(ending(id, usd(40)));
        await ledger.closeAdmission();
        await ledger.restore(totals(a, 700));
        const { seq } = await ledger.state();
        assert.equal((await ledger.restore(totals(a, 900))).answer, 'EXISTS');
        assert.equal((await ledger.restore(totals(b, 900))).answer, 'EXISTS');
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).committed, 700);
        assert.equal((await counters(ledger, b)).committed, 40);
      },
    },
    {
      name: 'leaves a hold that is there or has ended',
      async check({ ledger }) {
        const a = newEnvelope();
        const ended = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(ended, usd(40)));
        await ledger.closeAdmission();
        const { timeMs } = await ledger.state();
        const open = openHold(a, timeMs + 60_000);
        await ledger.restore({ what: 'hold', hold: open });
        for (const id of [open.id, ended]) {
          const again = openHold(a, timeMs + 1, { id });
          assert.equal((await ledger.restore({ what: 'hold', hold: again })).answer, 'EXISTS');
        }
        assert.equal((await counters(ledger, a)).reserved, 100);
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets what is no amount, and everything while admission is open',
      async check({ ledger }) {
        const a = newEnvelope();
        const { timeMs, seq } = await ledger.state();
        assert.equal((await ledger.restore(totals(a, 5))).answer, 'INVALID_INPUT');
        const wanted = { what: 'hold', hold: openHold(a, timeMs + 60_000) } as const;
        assert.equal((await ledger.restore(wanted)).answer, 'INVALID_INPUT');
        await ledger.closeAdmission();
        for (const value of BAD_AMOUNTS) {
          assert.equal((await ledger.restore(totals(a, value))).answer, 'INVALID_INPUT');
          const bad = openHold(a, timeMs, { lines: [line(a, { amount: value })] });
          assert.equal((await ledger.restore({ what: 'hold', hold: bad })).answer, 'INVALID_INPUT');
        }
        assert.ok((await ledger.state()).seq - seq <= 1, 'closing may count, the rest does not');
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 0, overrun: 0 });
      },
    },
  ],
  LEDGER_LOST: 'redis only',
  STALE_EPOCH: 'redis only',
};

const short = 'BUDGET_EXCEEDED';

function totals(envelope: string, committed: number): RestoreRequest {
  const key = { envelope, label: LABEL, unit: 'nano_usd' } as const;
  return { what: 'counters', ...key, committed, overrun: 3, adjusted: -2 };
}

function openHold(envelope: string, leaseEndsAtMs: number, over: Partial<OpenHold> = {}): OpenHold {
  return {
    id: newId(),
    owner: 'gateway-2',
    phase: 'held',
    lines: [line(envelope)],
    floor: amounts(),
    seen: amounts(),
    leaseEndsAtMs,
    stub: JSON.stringify(STUB),
    ...over,
  };
}

async function reopen(ledger: Parameters<typeof counters>[0]): Promise<void> {
  const { epoch } = await ledger.state();
  await ledger.openAdmission(epoch + 1);
}
