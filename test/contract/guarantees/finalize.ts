// What finalize promises, answer by answer: it books what was used, once, and never says no.

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
  STUB,
  sentHold,
  usd,
} from '../subject.js';
import { BAD_AMOUNTS, TOMBSTONE_MS } from './bad-input.js';

const leaseMs = SHORT_LEASE_MS;

export const finalize: VerbContract<'finalize'> = {
  FINALIZED: [
    {
      name: 'books what was used and gives the rest back at once',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const { seq } = await ledger.state();
        const reply = await ledger.finalize(ending(id, usd(40)));
        assert.equal(reply.answer, 'FINALIZED');
        assert.equal(reply.seq, seq + 1);
        assert.deepEqual(reply.balances, [
          {
            envelope: a,
            label: LABEL,
            unit: 'nano_usd',
            limit: 1000,
            mode: 'block',
            committed: 40,
            reserved: 0,
            overrun: 0,
          },
        ]);
        assert.equal((await ledger.state()).held, 0);
      },
    },
    {
      name: 'answers the complete event, with every line as pinned',
      async check({ ledger }) {
        const [a, t, c] = [newEnvelope('a'), newEnvelope('t'), newEnvelope('u')];
        const id = await hold(ledger, [
          line(a),
          line(t, { unit: 'tokens', amount: 10, label: 'ever' }),
          line(c, { unit: 'concurrency', amount: 1, label: 'ever' }),
        ]);
        const actual = amounts({ nano_usd: 150, tokens: 4, requests: 1 });
        const reply = await ledger.finalize(ending(id, actual));
        assert.deepEqual(reply.event, {
          id,
          kind: 'base',
          lines: [
            { e: a, l: LABEL, u: 'nano_usd', a: 150, o: 50 },
            { e: t, l: 'ever', u: 'tokens', a: 4, o: 0 },
            { e: c, l: 'ever', u: 'concurrency', a: 0, o: 0 },
          ],
          stub: STUB,
          seq: reply.seq,
          epoch: reply.epoch,
          atMs: reply.timeMs,
        });
        const { reserved } = await counters(ledger, c, { label: 'ever', unit: 'concurrency' });
        assert.equal(reserved, 0);
      },
    },
    {
      name: 'books in full above the hold, and counts the difference as overrun',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { amount: 900 })]);
        await ledger.finalize(ending(id, usd(2500)));
        assert.deepEqual(await counters(ledger, a), {
          committed: 2500,
          reserved: 0,
          overrun: 1600,
        });
      },
    },
    {
      name: 'counts overrun above the extended hold, not above the first',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.extend({ id, more: usd(100), leaseMs });
        await ledger.finalize(ending(id, usd(205)));
        assert.deepEqual(await counters(ledger, a), { committed: 205, reserved: 0, overrun: 5 });
      },
    },
    {
      name: 'books to the label pinned at reserve, whatever the time is now',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a, { label: '2026-07' })]);
        await hold(ledger, [line(a, { label: '2026-08' })]);
        await ledger.finalize(ending(id, usd(60)));
        assert.equal((await counters(ledger, a, { label: '2026-07' })).committed, 60);
        assert.equal((await counters(ledger, a, { label: '2026-08' })).committed, 0);
      },
    },
    {
      name: 'works on an overdue hold that nobody reaped',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)], { leaseMs });
        await pass(leaseMs + 1);
        assert.equal((await ledger.finalize(ending(id, usd(40)))).answer, 'FINALIZED');
        assert.equal((await counters(ledger, a)).committed, 40);
      },
    },
  ],
  ALREADY_FINALIZED: [
    {
      name: 'keeps the amount that was booked first',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const first = await ledger.finalize(ending(id, usd(40)));
        for (const nano of [40, 41]) {
          const again = await ledger.finalize(ending(id, usd(nano)));
          assert.equal(again.answer, 'ALREADY_FINALIZED');
          assert.equal(again.event, undefined);
          assert.equal(again.seq, first.seq);
        }
        assert.deepEqual(await counters(ledger, a), { committed: 40, reserved: 0, overrun: 0 });
      },
    },
    {
      name: 'follows a late finalize: there is one late record at most',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        assert.equal((await ledger.finalize(ending(id, usd(50)))).answer, 'LATE_FINALIZE');
        assert.equal((await ledger.finalize(ending(id, usd(90)))).answer, 'ALREADY_FINALIZED');
        assert.equal((await counters(ledger, a)).committed, 50);
      },
    },
  ],
  LATE_FINALIZE: [
    {
      name: 'books after a reap only what the reap did not, as overrun',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        const reply = await ledger.finalize(ending(id, usd(80)));
        assert.equal(reply.answer, 'LATE_FINALIZE');
        assert.deepEqual(reply.event, {
          id,
          kind: 'late',
          lines: [{ e: a, l: LABEL, u: 'nano_usd', a: 50, o: 50 }],
          stub: STUB,
          seq: reply.seq,
          epoch: reply.epoch,
          atMs: reply.timeMs,
        });
        assert.deepEqual(await counters(ledger, a), { committed: 80, reserved: 0, overrun: 50 });
      },
    },
    {
      name: 'books after a reap the difference of each unit by itself',
      async check({ ledger, pass }) {
        const [a, r, t] = [newEnvelope('a'), newEnvelope('r'), newEnvelope('t')];
        const lines = [line(a), line(r, { unit: 'requests' }), line(t, { unit: 'tokens' })];
        const floor = amounts({ nano_usd: 30, tokens: 12, requests: 5 });
        const id = await sentHold(ledger, lines, floor, leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        const used = amounts({ nano_usd: 50, tokens: 19, requests: 4 });
        const { event } = await ledger.finalize(ending(id, used));
        assert.deepEqual(
          event?.lines.map(({ a: amount, o }) => [amount, o]),
          [
            [20, 20],
            [-1, 0],
            [7, 7],
          ],
        );
      },
    },
    {
      name: 'gives back after a reap what was charged too much',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        const reply = await ledger.finalize(ending(id, usd(12)));
        assert.deepEqual(reply.event?.lines, [{ e: a, l: LABEL, u: 'nano_usd', a: -18, o: 0 }]);
        assert.deepEqual(await counters(ledger, a), { committed: 12, reserved: 0, overrun: 0 });
      },
    },
    {
      name: 'gives back no more than is left after somebody adjusted it away',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(30), leaseMs);
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        await ledger.adjust({
          id: newId(),
          lines: [{ envelope: a, label: LABEL, unit: 'nano_usd', amount: -25 }],
          event: { id: newId(), kind: 'adjust', stub: STUB },
        });
        const reply = await ledger.finalize(ending(id, usd(0)));
        assert.equal(reply.event?.lines[0]?.a, -5);
        assert.equal((await counters(ledger, a)).committed, 0);
      },
    },
    {
      name: 'books the whole after a release',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        await ledger.release(id);
        const reply = await ledger.finalize(ending(id, usd(70)));
        assert.equal(reply.answer, 'LATE_FINALIZE');
        assert.deepEqual(reply.event?.lines, [{ e: a, l: LABEL, u: 'nano_usd', a: 70, o: 70 }]);
        assert.deepEqual(await counters(ledger, a), { committed: 70, reserved: 0, overrun: 70 });
      },
    },
    {
      name: 'books the whole after a reap of what was never sent',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)], { leaseMs });
        await pass(leaseMs + 1);
        await ledger.reap([id]);
        const reply = await ledger.finalize(ending(id, usd(70)));
        assert.equal(reply.answer, 'LATE_FINALIZE');
        assert.equal(reply.event?.lines[0]?.a, 70);
      },
    },
  ],
  UNKNOWN: [
    {
      name: 'meets an id never seen, refused or voided, and books nothing',
      async check({ ledger }) {
        const a = newEnvelope();
        const refused = request([line(a, { amount: 2000 })]);
        await ledger.reserve(refused);
        const voided = newId();
        await ledger.release(voided);
        const { seq } = await ledger.state();
        for (const id of [newId(), refused.id, voided]) {
          const reply = await ledger.finalize(ending(id, usd(10)));
          assert.equal(reply.answer, 'UNKNOWN');
          assert.equal(reply.event, undefined);
        }
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).committed, 0);
      },
    },
    {
      name: 'meets an id whose tombstone has expired',
      where: 'memory only',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        await ledger.finalize(ending(id, usd(10)));
        await pass(TOMBSTONE_MS - 1);
        assert.equal((await ledger.finalize(ending(id, usd(10)))).answer, 'ALREADY_FINALIZED');
        await pass(1);
        assert.equal((await ledger.finalize(ending(id, usd(10)))).answer, 'UNKNOWN');
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets what is no amount; the hold stays and can be finalized',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const { seq } = await ledger.state();
        const bad = [
          ...BAD_AMOUNTS.map((value) => ending(id, usd(value))),
          ...BAD_AMOUNTS.map((value) => ending(id, amounts({ requests: value }))),
          { ...ending(id, usd(1)), id: '' },
        ];
        for (const wanted of bad) {
          assert.equal((await ledger.finalize(wanted)).answer, 'INVALID_INPUT');
        }
        assert.equal((await ledger.state()).seq, seq);
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 100, overrun: 0 });
        assert.equal((await ledger.finalize(ending(id, usd(1)))).answer, 'FINALIZED');
      },
    },
  ],
  CORRUPT: 'redis only',
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed: totals could not be put back beside it',
      async check({ ledger }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        const { epoch, seq } = await ledger.state();
        await ledger.closeAdmission();
        const reply = await ledger.finalize(ending(id, usd(40)));
        assert.deepEqual([reply.answer, reply.custodian], ['LEDGER_LOST', 'none']);
        assert.equal((await ledger.state()).seq, seq);
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 100, overrun: 0 });
        await ledger.openAdmission(epoch + 1);
        assert.equal((await ledger.finalize(ending(id, usd(40)))).answer, 'FINALIZED');
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};
