// What reap promises, answer by answer.

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
  SHORT_LEASE_MS,
  STUB,
  sentHold,
  usd,
} from '../subject.js';

const leaseMs = SHORT_LEASE_MS;
const owner = 'gateway-1';

export const reap: VerbContract<'reap'> = {
  SWEPT: [
    {
      name: 'answers for each id in the order asked, in one mutation',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const due = [
          await hold(ledger, [line(a)], { leaseMs }),
          await hold(ledger, [line(a)], { leaseMs }),
        ] as const;
        const running = await hold(ledger, [line(a)]);
        await pass(leaseMs + 1);
        const { seq } = await ledger.state();
        const unknown = newId();
        const reply = await ledger.reap([due[0], running, unknown, due[1]]);
        assert.equal(reply.answer, 'SWEPT');
        assert.equal(reply.seq, seq + 1);
        assert.deepEqual(
          reply.results.map(({ id, answer }) => [id, answer]),
          [
            [due[0], 'REAPED'],
            [running, 'NOT_DUE'],
            [unknown, 'GONE'],
            [due[1], 'REAPED'],
          ],
        );
      },
    },
    {
      name: 'changes nothing where nothing is due',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const { seq } = await ledger.state();
        assert.equal((await ledger.reap([])).answer, 'SWEPT');
        assert.equal((await ledger.reap([id, newId()])).answer, 'SWEPT');
        assert.equal((await ledger.state()).seq, seq);
      },
    },
  ],
  REAPED: [
    {
      name: 'charges nothing for what was never sent, and makes no event',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)], { leaseMs });
        await ledger.beat({ owner, leaseMs, beats: [{ id, seen: usd(60) }] });
        await pass(leaseMs + 1);
        const [result] = (await ledger.reap([id])).results;
        assert.deepEqual(result, { id, answer: 'REAPED', reclaimed: usd(100) });
        assert.deepEqual(await counters(ledger, a), { committed: 0, reserved: 0, overrun: 0 });
      },
    },
    {
      name: 'charges what was sent at the greater of prompt and spend seen, unit by unit',
      async check({ ledger, pass }) {
        const [a, r, t, c] = ['a', 'r', 't', 'u'].map((name) => newEnvelope(name)) as Four;
        const lines = [
          line(a),
          line(r, { unit: 'requests', amount: 3 }),
          line(t, { unit: 'tokens', amount: 50 }),
          line(c, { unit: 'concurrency', amount: 1 }),
        ];
        const floor = amounts({ nano_usd: 30, tokens: 8, requests: 1, concurrency: 1 });
        const id = await sentHold(ledger, lines, floor, leaseMs);
        const seen = amounts({ nano_usd: 20, tokens: 60, concurrency: 1 });
        await ledger.beat({ owner, leaseMs, beats: [{ id, seen }] });
        await pass(leaseMs + 1);
        const reply = await ledger.reap([id]);
        assert.deepEqual(reply.results[0], {
          id,
          answer: 'REAPED',
          event: {
            id,
            kind: 'base',
            lines: [
              { e: a, l: LABEL, u: 'nano_usd', a: 30, o: 0 },
              { e: r, l: LABEL, u: 'requests', a: 1, o: 0 },
              { e: t, l: LABEL, u: 'tokens', a: 60, o: 10 },
              { e: c, l: LABEL, u: 'concurrency', a: 0, o: 0 },
            ],
            stub: STUB,
            seq: reply.seq,
            epoch: reply.epoch,
            atMs: reply.timeMs,
          },
          reclaimed: amounts({ nano_usd: 70, tokens: 0, requests: 2, concurrency: 1 }),
        });
        assert.deepEqual(await counters(ledger, a), { committed: 30, reserved: 0, overrun: 0 });
        assert.deepEqual(await counters(ledger, t, { unit: 'tokens' }), {
          committed: 60,
          reserved: 0,
          overrun: 10,
        });
      },
    },
    {
      name: 'is due in the very millisecond in which the lease ends, and not before',
      where: 'memory only',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())], { leaseMs });
        await pass(leaseMs - 1);
        assert.deepEqual(await ledger.overdue(10), []);
        assert.equal((await ledger.reap([id])).results[0]?.answer, 'NOT_DUE');
        await pass(1);
        assert.deepEqual(await ledger.overdue(10), [id]);
        assert.equal((await ledger.reap([id])).results[0]?.answer, 'REAPED');
      },
    },
  ],
  NOT_DUE: [
    {
      name: 'leaves a hold whose lease was renewed after it was listed',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)], { leaseMs });
        await pass(leaseMs + 1);
        assert.deepEqual(await ledger.overdue(10), [id]);
        await ledger.beat({ owner, leaseMs: 60_000, beats: [{ id, seen: amounts() }] });
        assert.deepEqual((await ledger.reap([id])).results, [{ id, answer: 'NOT_DUE' }]);
        assert.equal((await counters(ledger, a)).reserved, 100);
      },
    },
  ],
  GONE: [
    {
      name: 'meets what has ended already, and ends it no second time',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const [finalized, reaped] = [
          await hold(ledger, [line(a)], { leaseMs }),
          await sentHold(ledger, [line(a)], usd(5), leaseMs),
        ];
        await ledger.finalize(ending(finalized, usd(40)));
        await pass(leaseMs + 1);
        await ledger.reap([reaped]);
        const { seq } = await ledger.state();
        assert.deepEqual((await ledger.reap([finalized, reaped])).results, [
          { id: finalized, answer: 'GONE' },
          { id: reaped, answer: 'GONE' },
        ]);
        assert.equal((await ledger.state()).seq, seq);
        assert.equal((await counters(ledger, a)).committed, 45);
      },
    },
    {
      name: 'answers REAPED once for an id that is named twice',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await sentHold(ledger, [line(a)], usd(5), leaseMs);
        await pass(leaseMs + 1);
        const { results } = await ledger.reap([id, id]);
        assert.deepEqual(
          results.map(({ answer }) => answer),
          ['REAPED', 'GONE'],
        );
        assert.deepEqual(await counters(ledger, a), { committed: 5, reserved: 0, overrun: 0 });
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets more than 64 ids, and an empty one',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)], { leaseMs });
        await pass(leaseMs + 1);
        const tooMany = [id, ...Array.from({ length: 64 }, newId)];
        assert.equal((await ledger.reap(tooMany)).answer, 'INVALID_INPUT');
        assert.equal((await ledger.reap([id, ''])).answer, 'INVALID_INPUT');
        assert.equal((await counters(ledger, a)).reserved, 100);
      },
    },
  ],
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed: totals could not be put back beside it',
      async check({ ledger, pass }) {
        const id = await hold(ledger, [line(newEnvelope())], { leaseMs });
        const { epoch, seq } = await ledger.state();
        await ledger.closeAdmission();
        await pass(leaseMs + 1);
        const reply = await ledger.reap([id]);
        assert.deepEqual([reply.answer, reply.results], ['LEDGER_LOST', []]);
        assert.equal((await ledger.state()).seq, seq);
        await ledger.openAdmission(epoch + 1);
        assert.equal((await ledger.reap([id])).results[0]?.answer, 'REAPED');
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};

type Four = [string, string, string, string];
