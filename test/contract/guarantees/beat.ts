// What beat promises, answer by answer.

import assert from 'node:assert/strict';
import { NOTHING } from '#src/core/amount.js';
import type { VerbContract } from '../ledger-contract.js';
import {
  amounts,
  ending,
  hold,
  line,
  newEnvelope,
  newId,
  SHORT_LEASE_MS,
  sentHold,
  usd,
} from '../subject.js';
import { BAD_AMOUNTS } from './bad-input.js';

const leaseMs = SHORT_LEASE_MS;
const owner = 'gateway-1';

export const beat: VerbContract<'beat'> = {
  BEATEN: [
    {
      name: 'renews every lease named, in one mutation',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const ids = [
          await hold(ledger, [line(a)], { leaseMs }),
          await hold(ledger, [line(a)], { leaseMs }),
        ];
        const { seq } = await ledger.state();
        const beats = ids.map((id) => ({ id, seen: amounts() }));
        const reply = await ledger.beat({ owner, leaseMs: 60_000, beats });
        assert.equal(reply.answer, 'BEATEN');
        assert.deepEqual(reply.gone, []);
        assert.equal(reply.seq, seq + 1);
        await pass(leaseMs + 1);
        assert.deepEqual(await ledger.overdue(10), []);
      },
    },
    {
      name: 'raises the spend seen and never lowers it',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const tell = (seen: ReturnType<typeof amounts>) =>
          ledger.beat({ owner, leaseMs, beats: [{ id, seen }] });
        await tell(amounts({ nano_usd: 40, tokens: 3 }));
        await tell(amounts({ nano_usd: 20, tokens: 7 }));
        const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
        assert.deepEqual(open?.seen, amounts({ nano_usd: 40, tokens: 7 }));
      },
    },
    {
      name: 'tells the phase and the floor, which never falls, and nothing of the spend with them',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const other = await hold(ledger, [line(newEnvelope())]);
        const tell = (sent?: { floor: ReturnType<typeof amounts> }) =>
          ledger.beat({
            owner,
            leaseMs,
            beats: [
              { id, seen: NOTHING, ...(sent && { sent }) },
              { id: other, seen: NOTHING },
            ],
          });
        const opened = async (wanted: string) => {
          const { holds } = await ledger.holds({ offset: 0, limit: 2 });
          const { phase, floor, seen } = holds.find((open) => open.id === wanted)!;
          return { phase, floor, seen };
        };
        await tell();
        assert.equal((await opened(id)).phase, 'held');
        await tell({ floor: amounts({ nano_usd: 30, tokens: 4, requests: 1 }) });
        const floor = amounts({ nano_usd: 30, tokens: 9, requests: 1, concurrency: 2 });
        await tell({ floor: amounts({ nano_usd: 20, tokens: 9, concurrency: 2 }) });
        assert.deepEqual(await opened(id), { phase: 'sent', floor, seen: NOTHING });
        await tell();
        assert.deepEqual(await opened(id), { phase: 'sent', floor, seen: NOTHING });
        assert.deepEqual(await opened(other), { phase: 'held', floor: NOTHING, seen: NOTHING });
      },
    },
    {
      name: 'that was sent at no cost is sent all the same',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const beats = [{ id, seen: NOTHING, sent: { floor: NOTHING } }];
        assert.deepEqual((await ledger.beat({ owner, leaseMs, beats })).gone, []);
        const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
        assert.deepEqual([open?.phase, open?.floor], ['sent', NOTHING]);
      },
    },
    {
      name: 'tells what was sent beside what has ended, each of its own',
      async check({ ledger }) {
        const a = newEnvelope();
        const [first, released, last] = [
          await hold(ledger, [line(a)]),
          await hold(ledger, [line(a)]),
          await hold(ledger, [line(a)]),
        ];
        await ledger.release(released);
        const floors = [usd(1), usd(2), usd(3)];
        const beats = [first, released, last].map((id, i) => {
          return { id, seen: NOTHING, sent: { floor: floors[i]! } };
        });
        const { gone } = await ledger.beat({ owner, leaseMs, beats });
        assert.deepEqual(gone, [{ id: released, ending: 'released' }]);
        const { holds } = await ledger.holds({ offset: 0, limit: 3 });
        const told = new Map(holds.map(({ id, phase, floor }) => [id, [phase, floor]]));
        assert.deepEqual(told.get(first), ['sent', usd(1)]);
        assert.deepEqual(told.get(last), ['sent', usd(3)]);
        assert.equal(holds.length, 2);
      },
    },
    {
      name: 'lists those that are gone with their endings, and renews the rest',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const [finalized, released, reaped, open] = [
          await hold(ledger, [line(a)]),
          await hold(ledger, [line(a)]),
          await sentHold(ledger, [line(a)], usd(1), leaseMs),
          await hold(ledger, [line(a)]),
        ];
        await ledger.finalize(ending(finalized, usd(1)));
        await ledger.release(released);
        await pass(leaseMs + 1);
        await ledger.reap([reaped]);
        const unknown = newId();
        const ids = [finalized, released, reaped, unknown, open];
        const beats = ids.map((id) => ({ id, seen: usd(7) }));
        const reply = await ledger.beat({ owner, leaseMs: 60_000, beats });
        assert.deepEqual(reply.gone, [
          { id: finalized, ending: 'finalized' },
          { id: released, ending: 'released' },
          { id: reaped, ending: 'reaped' },
          { id: unknown, ending: 'unknown' },
        ]);
        const [still] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
        assert.equal(still?.id, open);
        assert.equal(still?.leaseEndsAtMs, reply.timeMs + 60_000);
      },
    },
    {
      name: 'changes nothing where nothing is left to renew',
      async check({ ledger }) {
        const { seq } = await ledger.state();
        const none = await ledger.beat({ owner, leaseMs, beats: [] });
        const gone = await ledger.beat({
          owner,
          leaseMs,
          beats: [{ id: newId(), seen: amounts() }],
        });
        assert.deepEqual([none.answer, gone.answer], ['BEATEN', 'BEATEN']);
        assert.equal((await ledger.state()).seq, seq);
      },
    },
  ],
  INVALID_INPUT: [
    {
      name: 'meets a spend that is no amount, no lease, and more than 64 beats',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const before = await ledger.holds({ offset: 0, limit: 1 });
        const bad = [
          ...BAD_AMOUNTS.map((value) => ({ owner, leaseMs, beats: [{ id, seen: usd(value) }] })),
          ...BAD_AMOUNTS.map((value) => ({
            owner,
            leaseMs,
            beats: [{ id, seen: usd(1), sent: { floor: usd(value) } }],
          })),
          { owner, leaseMs: 0, beats: [{ id, seen: usd(1) }] },
          { owner, leaseMs, beats: Array.from({ length: 65 }, () => ({ id, seen: usd(1) })) },
          {
            owner,
            leaseMs,
            beats: [
              { id, seen: usd(1) },
              { id: newId(), seen: usd(-1) },
            ],
          },
        ];
        for (const wanted of bad) {
          assert.equal((await ledger.beat(wanted)).answer, 'INVALID_INPUT');
        }
        assert.deepEqual(await ledger.holds({ offset: 0, limit: 1 }), before);
      },
    },
  ],
  LEDGER_LOST: [
    {
      name: 'is the answer while admission is closed: a hold that is not back yet is not gone',
      async check({ ledger }) {
        const id = await hold(ledger, [line(newEnvelope())]);
        const { epoch, seq } = await ledger.state();
        await ledger.closeAdmission();
        const beats = [{ id, seen: usd(1) }];
        for (const told of [beats, [{ id: newId(), seen: usd(1) }]]) {
          const reply = await ledger.beat({ owner, leaseMs, beats: told });
          assert.deepEqual([reply.answer, reply.gone], ['LEDGER_LOST', []]);
        }
        assert.equal((await ledger.state()).seq, seq);
        await ledger.openAdmission(epoch + 1);
        assert.deepEqual((await ledger.beat({ owner, leaseMs, beats })).gone, []);
      },
    },
  ],
  STALE_EPOCH: 'redis only',
};
