// What adjust promises, answer by answer: the only way by which committed may fall.

import assert from 'node:assert/strict';
import type { AdjustRequest } from '#src/stores/ledger/ledger.js';
import type { VerbContract } from '../ledger-contract.js';
import { counters, ending, hold, LABEL, line, newEnvelope, newId, STUB, usd } from '../subject.js';
import { BAD_AMOUNTS, TOMBSTONE_MS } from './bad-input.js';

export function correction(id: string, of: Record<string, number>): AdjustRequest {
  return {
    id,
    lines: Object.entries(of).map(([envelope, amount]) => ({
      envelope,
      label: LABEL,
      unit: 'nano_usd',
      amount,
    })),
    event: { id, kind: 'adjust', stub: STUB, reason: 'invoice of November' },
  };
}

export const adjust: VerbContract<'adjust'> = {
  ADJUSTED: [
    {
      name: 'moves committed up or down on every line, without asking for room',
      async check({ ledger }) {
        const [a, b] = [newEnvelope('a'), newEnvelope('b')];
        const id = await hold(ledger, [line(a), line(b)]);
        await ledger.finalize(ending(id, usd(100)));
        const { seq } = await ledger.state();
        const wanted = correction(newId(), { [a]: -30, [b]: 5000 });
        const reply = await ledger.adjust(wanted);
        assert.equal(reply.answer, 'ADJUSTED');
        assert.equal(reply.seq, seq + 1);
        assert.deepEqual(reply.event, {
          ...wanted.event,
          lines: [
            { e: a, l: LABEL, u: 'nano_usd', a: -30, o: 0 },
            { e: b, l: LABEL, u: 'nano_usd', a: 5000, o: 0 },
          ],
          seq: reply.seq,
          epoch: reply.epoch,
          atMs: reply.timeMs,
        });
        assert.deepEqual(
          reply.balances.map(({ envelope, committed, limit }) => [envelope, committed, limit]),
          [
            [a, 70, 1000],
            [b, 5100, 1000],
          ],
        );
      },
    },
    {
      name: 'takes committed to 0 at the least, and the event says what was taken',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(id, usd(40)));
        const reply = await ledger.adjust(correction(newId(), { [a]: -100 }));
        assert.equal(reply.answer, 'ADJUSTED');
        assert.equal(reply.event?.lines[0]?.a, -40);
        assert.equal((await counters(ledger, a)).committed, 0);
      },
    },
    {
      name: 'counts in an envelope never touched',
      async check({ ledger }) {
        const a = newEnvelope();
        assert.equal((await ledger.adjust(correction(newId(), { [a]: 9 }))).answer, 'ADJUSTED');
        assert.deepEqual(await counters(ledger, a), { committed: 9, reserved: 0, overrun: 0 });
      },
    },
  ],
  EXISTS: [
    {
      name: 'meets the same id again, whatever it says now',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = newId();
        const first = await ledger.adjust(correction(id, { [a]: 50 }));
        for (const amount of [50, 60]) {
          const again = await ledger.adjust(correction(id, { [a]: amount }));
          assert.equal(again.answer, 'EXISTS');
          assert.equal(again.event, undefined);
          assert.equal(again.seq, first.seq);
        }
        assert.equal((await counters(ledger, a)).committed, 50);
      },
    },
    {
      name: 'is remembered as long as an ending',
      where: 'memory only',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = newId();
        await ledger.adjust(correction(id, { [a]: 50 }));
        await pass(TOMBSTONE_MS - 1);
        assert.equal((await ledger.adjust(correction(id, { [a]: 50 }))).answer, 'EXISTS');
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets what is no whole number, a line named twice, and more than 16 lines',
      async check({ ledger }) {
        const a = newEnvelope();
        const { seq } = await ledger.state();
        const good = correction(newId(), { [a]: 1 });
        const many = Array.from({ length: 17 }, (_, i) => ({
          ...good.lines[0]!,
          envelope: `limit:${i}`,
        }));
        const bad = [
          ...BAD_AMOUNTS.filter((value) => value !== -1).map((value) =>
            correction(newId(), { [a]: value }),
          ),
          { ...good, lines: [good.lines[0]!, good.lines[0]!] },
          { ...good, lines: many },
          { ...good, id: '' },
        ];
        for (const wanted of bad) {
          assert.equal((await ledger.adjust(wanted)).answer, 'INVALID_INPUT');
        }
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await ledger.adjust(good)).answer, 'ADJUSTED', 'the id is not spent');
      },
    },
  ],
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed: totals could not be put back beside it',
      async check({ ledger }) {
        const a = newEnvelope();
        const { epoch, seq } = await ledger.state();
        await ledger.closeAdmission();
        const wanted = correction(newId(), { [a]: 9 });
        assert.equal((await ledger.adjust(wanted)).answer, 'LEDGER_LOST');
        assert.equal((await ledger.state()).seq, seq);
        await ledger.openAdmission(epoch + 1);
        assert.equal((await ledger.adjust(wanted)).answer, 'ADJUSTED');
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};
