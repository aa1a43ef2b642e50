// Records that somebody has damaged: a verb that cannot read one stops before its first write, or a
// script that fails half-way would keep what it has written by then.

import assert from 'node:assert/strict';
import { dump } from '../redis-only.js';
import type { RedisGuarantee, RedisSubject } from '../redis-subject.js';
import {
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  request,
  sentHold,
  usd,
} from '../subject.js';

const leaseMs = 60_000;

type Damage = (subject: RedisSubject, id: string) => Promise<unknown>;
const set =
  (field: string, value: string): Damage =>
  ({ redis, ledger }, id) =>
    redis.command('hset', ledger.keys.reservation(id), field, value);
const without =
  (field: string): Damage =>
  ({ redis, ledger }, id) =>
    redis.command('hdel', ledger.keys.reservation(id), field);

const SHARED: readonly Damage[] = [
  set('held', '100 nan'),
  set('held', '100'),
  without('held'),
  without('units'),
  without('lines'),
];
const FLOORS: readonly Damage[] = [
  set('floor', '1 2 3'),
  set('floor', '1 2 3 4 5'),
  set('floor', '1 2 x 4'),
];
const SEENS: readonly Damage[] = [
  set('seen', '1 2 3'),
  set('seen', '1 2 3 4 5'),
  set('seen', '1 2 x 4'),
];

async function damaged(subject: RedisSubject, damage: Damage, lease = leaseMs): Promise<string> {
  const { ledger } = subject;
  const lines = [line(newEnvelope('a')), line(newEnvelope('b'))];
  const id = await sentHold(ledger, lines, usd(30), lease);
  await damage(subject, id);
  return id;
}

// What cannot be read cannot be ended, and would hold up whoever looks for open holds.
async function forget({ redis, ledger }: RedisSubject): Promise<void> {
  await redis.command('del', ledger.keys.leases);
}

export const UNREADABLE: readonly RedisGuarantee[] = [
  {
    name: 'extend refuses a record that it cannot read, and changes nothing',
    async check(subject) {
      const { ledger, redis } = subject;
      for (const damage of SHARED) {
        const id = await damaged(subject, damage);
        const before = await dump(redis, ledger);
        const reply = await ledger.extend({ id, more: usd(5), leaseMs });
        assert.equal(reply.answer, 'INVALID_INPUT');
        assert.deepEqual(await dump(redis, ledger), before);
      }
      await forget(subject);
    },
  },
  {
    name: 'finalize stops before its first write where a counter is no number',
    async check(subject) {
      const { ledger, redis } = subject;
      for (const field of ['committed', 'reserved']) {
        const a = newEnvelope();
        const first = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(first, usd(1)));
        const id = await hold(ledger, [line(newEnvelope('0')), line(a)]);
        await redis.command('hset', ledger.keys.counter(a, LABEL), field, 'x');
        const before = await dump(redis, ledger);
        await assert.rejects(() => ledger.finalize(ending(id, usd(5))));
        assert.deepEqual(await dump(redis, ledger), before);
      }
      await forget(subject);
    },
  },
  {
    name: 'release refuses a record that it cannot read, and changes nothing',
    async check(subject) {
      const { ledger, redis } = subject;
      for (const damage of SHARED) {
        const id = await damaged(subject, damage);
        const before = await dump(redis, ledger);
        assert.equal((await ledger.release(id)).answer, 'INVALID_INPUT');
        assert.deepEqual(await dump(redis, ledger), before);
      }
      await forget(subject);
    },
  },
  {
    name: 'reap leaves alone a record that it cannot read, and ends the others',
    async check(subject) {
      const { ledger, redis, pass } = subject;
      const all = [...SHARED, set('units', 'n'), ...FLOORS, ...SEENS, without('stub')];
      const a = newEnvelope();
      const bad: string[] = [];
      for (const damage of all) bad.push(await damaged(subject, damage, 1));
      const good = await hold(ledger, [line(a)], { leaseMs: 1 });
      await pass(1);
      const { results } = await ledger.reap([...bad, good]);
      assert.deepEqual(
        results.map(({ answer }) => answer),
        [...all.map(() => 'NOT_DUE'), 'REAPED'],
      );
      assert.equal((await counters(ledger, a)).reserved, 0);
      assert.equal(await redis.command('zcard', ledger.keys.leases), all.length);
      await forget(subject);
    },
  },
  {
    name: 'reap leaves alone a record whose lines are not as many as its amounts',
    async check(subject) {
      const { ledger, redis, another } = subject;
      const one = await hold(ledger, [line(newEnvelope())]);
      const lines = await redis.command('hget', ledger.keys.reservation(one), 'lines');
      const id = await damaged(subject, set('lines', String(lines)), 1);
      await subject.pass(1);
      const other = await another();
      const before = await dump(redis, ledger);
      assert.deepEqual((await other.reap([id])).results, [{ id, answer: 'NOT_DUE' }]);
      assert.deepEqual(await dump(redis, ledger), before);
      await forget(subject);
    },
  },
  {
    name: 'reserve takes a record without lines for one of other lines, and changes nothing',
    async check(subject) {
      const { ledger, redis } = subject;
      const wanted = request([line(newEnvelope())]);
      await ledger.reserve(wanted);
      await without('lines')(subject, wanted.id);
      const before = await dump(redis, ledger);
      assert.equal((await ledger.reserve(wanted)).answer, 'CONFLICT');
      assert.deepEqual(await dump(redis, ledger), before);
      await forget(subject);
    },
  },
  {
    name: 'beat begins anew where spend seen or floor cannot be read',
    async check(subject) {
      const { ledger } = subject;
      for (const damage of [...SEENS, ...FLOORS]) {
        const id = await damaged(subject, damage);
        const beats = [{ id, seen: usd(1), sent: { floor: usd(1) } }];
        assert.equal((await ledger.beat({ owner: 'o', leaseMs, beats })).answer, 'BEATEN');
        const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
        const isFloor = FLOORS.includes(damage);
        assert.deepEqual([open?.seen, open?.floor], [usd(1), usd(isFloor ? 1 : 30)]);
        assert.equal((await ledger.release(id)).answer, 'RELEASED');
      }
    },
  },
];
