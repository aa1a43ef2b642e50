// What reap does at its own edges: where numbers end, at the very end of a lease, with leases that
// nobody holds any more.

import assert from 'node:assert/strict';
import { correction } from '../guarantees/adjust.js';
import { answerOf, type RedisGuarantee } from '../redis-subject.js';
import {
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  sentHold,
  usd,
} from '../subject.js';

const MOST = Number.MAX_SAFE_INTEGER;
const nothingHeld = { limit: null, amount: 0 } as const;

export const REAPING: readonly RedisGuarantee[] = [
  {
    name: 'reap refuses numbers of reservations that cannot be, and writes nothing',
    async check({ ledger, redis, scripts }) {
      const { state, leases, outbox, labels } = ledger.keys;
      const keys = [state, leases, outbox, labels, ledger.keys.reservation(newId())];
      const tell = async (count: string, rest: readonly string[]) => {
        const told = ['1', '0 0 gx', count, ...rest];
        return answerOf(await redis.run(scripts.reap, keys, told));
      };
      for (const bad of ['', 'nan', '-1', '1.5', '01']) {
        assert.equal(await tell(bad, [newId(), '']), 'INVALID_INPUT', bad);
      }
      assert.equal(await tell('2', [newId(), '', newId()]), 'INVALID_INPUT', 'more than its keys');
      assert.equal(await tell('1', [newId(), '']), 'SWEPT');
    },
  },
  {
    name: 'reap books on a counter that is empty up to the last amount there is',
    async check({ ledger, pass }) {
      const a = newEnvelope();
      const id = await sentHold(ledger, [line(a, nothingHeld)], usd(MOST), 1);
      await pass(1);
      const [result] = (await ledger.reap([id])).results;
      assert.deepEqual(result?.event?.lines[0], {
        ...{ e: a, l: LABEL, u: 'nano_usd', a: MOST, o: MOST },
      });
      assert.deepEqual(await counters(ledger, a), { committed: MOST, overrun: MOST, reserved: 0 });
    },
  },
  {
    name: 'what reap books past one hold leaves less to book past the next',
    async check({ ledger, pass }) {
      const a = newEnvelope();
      const done = await hold(ledger, [line(a, nothingHeld)]);
      await ledger.finalize(ending(done, usd(MOST - 10)));
      await ledger.adjust(correction(newId(), { [a]: 10 - MOST }));
      const ids = [
        await sentHold(ledger, [line(a, nothingHeld)], usd(7), 1),
        await sentHold(ledger, [line(a, nothingHeld)], usd(7), 1),
      ];
      await pass(1);
      const { results } = await ledger.reap(ids);
      assert.deepEqual(
        results.map(({ event }) => event?.lines.map(({ a: amount, o }) => [amount, o])),
        [[[7, 7]], [[3, 3]]],
      );
      assert.deepEqual(await counters(ledger, a), { committed: 10, overrun: MOST, reserved: 0 });
    },
  },
  {
    name: 'reap ends a hold from the very millisecond in which its lease ends',
    async check({ ledger, redis, pass }) {
      const a = newEnvelope();
      const ids: string[] = [];
      for (let i = 0; i < 64; i += 1) ids.push(await hold(ledger, [line(a, nothingHeld)]));
      let open = ids;
      let hasMetIt = false;
      // One lease ends in each of the next milliseconds; whenever reap comes, one of them is now.
      for (let round = 0; round < 50 && !hasMetIt && open.length > 0; round += 1) {
        const { timeMs } = await ledger.state();
        const ends = new Map(open.map((id, i) => [id, timeMs + 2 + i]));
        const pairs = [...ends].flatMap(([id, end]) => [`${end}`, id]);
        await redis.command('zadd', ledger.keys.leases, ...pairs);
        await pass(1);
        const reply = await ledger.reap(open);
        for (const { id, answer } of reply.results) {
          assert.equal(answer, ends.get(id)! <= reply.timeMs ? 'REAPED' : 'NOT_DUE');
        }
        hasMetIt = [...ends.values()].includes(reply.timeMs);
        open = reply.results.filter(({ answer }) => answer === 'NOT_DUE').map(({ id }) => id);
        if (open.length < 8) {
          for (let i = 0; i < 56; i += 1) open.push(await hold(ledger, [line(a, nothingHeld)]));
        }
      }
      assert.ok(hasMetIt, 'no reap came in a millisecond in which a lease ended');
    },
  },
  {
    name: 'reap drops a single lease that no reservation has',
    async check({ ledger, redis }) {
      const id = newId();
      await redis.command('zadd', ledger.keys.leases, '1', id);
      assert.deepEqual((await ledger.reap([id])).results, [{ id, answer: 'GONE' }]);
      assert.deepEqual(await ledger.overdue(10), []);
    },
  },
];
