// How Redis comes to give the answers that one process never gives: a ledger that has lost its
// writes, a gateway that was fenced off, a record that somebody damaged.

import assert from 'node:assert/strict';
import type { Redis } from '#src/drivers/redis.js';
import type { Reply } from '#src/stores/ledger/ledger.js';
import type { RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { correction } from './guarantees/adjust.js';
import type { Answer, Guarantee, Guarantees, Verb } from './ledger-contract.js';
import type { RedisSubject } from './redis-subject.js';
import {
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  request,
  usd,
} from './subject.js';

type RedisOnly = { [V in Verb]?: Partial<Record<Answer<V>, Guarantees>> };
type AnyReply = Reply<string>;
const leaseMs = 60_000;

// Each verb as a call that would change something if it were let through.
const CALLS: Record<Verb, (ledger: RedisLedger, id: string, a: string) => Promise<AnyReply>> = {
  reserve: (ledger, _id, a) => ledger.reserve(request([line(a)])),
  extend: (ledger, id) => ledger.extend({ id, more: usd(1), leaseMs }),
  beat: (ledger, id) => ledger.beat({ owner: 'gateway-1', leaseMs, beats: [{ id, seen: usd(9) }] }),
  finalize: (ledger, id) => ledger.finalize(ending(id, usd(40))),
  release: (ledger, id) => ledger.release(id),
  reap: (ledger, id) => ledger.reap([id]),
  adjust: (ledger, _id, a) => ledger.adjust(correction(newId(), { [a]: 5 })),
  setLimits: (ledger, _id, a) =>
    ledger.setLimits([{ envelope: a, limit: 3, mode: 'warn', version: 99 }]),
  restore: (ledger, _id, a) =>
    ledger.restore({
      what: 'counters',
      ...{ envelope: a, label: LABEL, unit: 'nano_usd', committed: 5, overrun: 0, adjusted: 0 },
    }),
};

/** All that is in Redis under the subject's keys, to tell that nothing was written. */
export async function dump(redis: Redis, ledger: RedisLedger): Promise<string[]> {
  const all: string[] = [];
  for await (const names of redis.scan(`${ledger.keys.prefix}*`, 1000)) {
    for (const name of names) all.push(`${name} ${await redis.command('dump', name)}`);
  }
  return all.sort();
}

function staleEpoch(verb: Verb): Guarantee {
  return {
    name: 'meets a gateway that another one has fenced off, until it has read the state',
    async check(subject) {
      const { ledger, redis, another } = subject as RedisSubject;
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)], { leaseMs: verb === 'reap' ? 1 : leaseMs });
      const other = await another();
      const { epoch } = await other.state();
      await other.closeAdmission();
      await other.openAdmission(epoch + 1);
      if (verb === 'restore') await other.closeAdmission();
      await subject.pass(1);
      const before = await dump(redis, ledger);
      const reply = await CALLS[verb](ledger, id, a);
      assert.equal(reply.answer, 'STALE_EPOCH');
      assert.equal(reply.epoch, epoch + 1);
      assert.deepEqual(await dump(redis, ledger), before);
      await ledger.state();
      assert.doesNotMatch((await CALLS[verb](ledger, id, a)).answer, NEVER);
    },
  };
}
const NEVER = /^(STALE_EPOCH|LEDGER_LOST|INVALID_INPUT)$/;

function ledgerLost(verb: Verb): Guarantees {
  const check = (lose: (redis: Redis, ledger: RedisLedger) => Promise<unknown>) =>
    async function run(subject: unknown): Promise<void> {
      const { ledger, redis, pass } = subject as RedisSubject;
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)], { leaseMs: verb === 'reap' ? 1 : leaseMs });
      await pass(1);
      await lose(redis, ledger);
      const before = await dump(redis, ledger);
      const lost = await CALLS[verb](ledger, id, a);
      assert.equal(lost.answer, 'LEDGER_LOST');
      const { epoch, seq, open } = await ledger.state();
      assert.deepEqual([lost.epoch, lost.seq], [epoch, seq]);
      assert.deepEqual(await dump(redis, ledger), before);
      assert.equal(open, false);
      assert.equal((await CALLS[verb](ledger, id, a)).answer, 'LEDGER_LOST', 'after a look too');
    };
  return [
    {
      name: 'meets a ledger without an epoch: an empty Redis',
      check: check((redis, { keys }) => redis.command('del', keys.state)),
    },
    {
      name: 'meets a ledger whose seq is below what was seen: an old snapshot',
      check: check((redis, { keys }) => redis.command('hincrby', keys.state, 'seq', '-1')),
    },
    {
      name: 'meets a ledger that forgot its last mutation while others wrote on past its seq',
      check: check(async (redis, { keys }) => {
        const fields = (await redis.command('hkeys', keys.state)) as string[];
        const own = fields.filter((field) => field.startsWith('g'));
        assert.equal(own.length, 1);
        await redis.command('hincrby', keys.state, own[0]!, '-1');
        await redis.command('hincrby', keys.state, 'seq', '5');
      }),
    },
    {
      name: 'meets a ledger of an earlier epoch: a replica that lagged',
      async check(subject) {
        const { ledger, redis } = subject as RedisSubject;
        const a = newEnvelope();
        const id = await hold(ledger, [line(a)]);
        ledger.witness(2, 0);
        const before = await dump(redis, ledger);
        assert.equal((await CALLS[verb](ledger, id, a)).answer, 'LEDGER_LOST');
        assert.deepEqual(await dump(redis, ledger), before);
        assert.equal((await ledger.state()).open, false);
      },
    },
  ];
}

function corrupt(name: string, damage: (subject: RedisSubject, id: string, a: string) => unknown) {
  return {
    name,
    async check(subject: unknown): Promise<void> {
      const redisSubject = subject as RedisSubject;
      const { ledger, redis } = redisSubject;
      const [a, b] = [newEnvelope('a'), newEnvelope('b')];
      const id = await hold(ledger, [line(a), line(b)]);
      await damage(redisSubject, id, a);
      const before = await dump(redis, ledger);
      const reply = await ledger.finalize(ending(id, usd(40)));
      assert.equal(reply.answer, 'CORRUPT');
      assert.equal(reply.event, undefined);
      assert.equal(reply.custodian, 'none');
      assert.deepEqual(await dump(redis, ledger), before);
      await redis.command('del', ledger.keys.leases);
    },
  };
}

const set = (field: string, value: string) => (subject: RedisSubject, id: string) =>
  subject.redis.command('hset', subject.ledger.keys.reservation(id), field, value);

const CORRUPT: Guarantees = [
  corrupt('meets a counter that holds less than the reservation', ({ redis, ledger }, _id, a) =>
    redis.command('hincrby', ledger.keys.counter(a, LABEL), 'reserved', '-1'),
  ),
  corrupt('meets a counter that is gone', ({ redis, ledger }, _id, a) =>
    redis.command('del', ledger.keys.counter(a, LABEL)),
  ),
  corrupt('meets a hold that is no amount', set('held', '100 nan')),
  corrupt('meets fewer amounts than lines', set('held', '100')),
  corrupt('meets a reservation without its units', ({ redis, ledger }, id) =>
    redis.command('hdel', ledger.keys.reservation(id), 'units'),
  ),
  corrupt('meets a reservation without its lines', ({ redis, ledger }, id) =>
    redis.command('hdel', ledger.keys.reservation(id), 'lines'),
  ),
  {
    name: 'meets an ending whose charge cannot be read',
    async check(subject) {
      const { ledger } = subject as RedisSubject;
      for (const charged of ['', '0 0 0', '0 0 x 0']) {
        const id = await hold(ledger, [line(newEnvelope())]);
        await ledger.release(id);
        await set('charged', charged)(subject as RedisSubject, id);
        assert.equal((await ledger.finalize(ending(id, usd(40)))).answer, 'CORRUPT');
      }
    },
  },
];

/** What a damaged or half-lost ledger must still do. */
const REAP_EXTRA: Guarantees = [
  {
    name: 'gives back what is there where a counter has less than the hold',
    async check(subject) {
      const { ledger, redis, pass } = subject as RedisSubject;
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)], { leaseMs: 1 });
      await redis.command('hset', ledger.keys.counter(a, LABEL), 'reserved', '30');
      await pass(1);
      assert.equal((await ledger.reap([id])).results[0]?.answer, 'REAPED');
      assert.equal((await counters(ledger, a)).reserved, 0);
    },
  },
  {
    name: 'forgets a lease that has no reservation, which would be overdue for ever',
    async check(subject) {
      const { ledger, redis } = subject as RedisSubject;
      const id = newId();
      await redis.command('zadd', ledger.keys.leases, '1', id);
      assert.deepEqual(await ledger.overdue(9), [id]);
      assert.deepEqual((await ledger.reap([id, id])).results, [
        { id, answer: 'GONE' },
        { id, answer: 'GONE' },
      ]);
      assert.deepEqual(await ledger.overdue(9), []);
    },
  },
  {
    name: 'leaves alone a hold whose amounts cannot be read, and ends the others',
    async check(subject) {
      const { ledger, redis, pass } = subject as RedisSubject;
      const a = newEnvelope();
      const [bad, good] = [
        await hold(ledger, [line(a)], { leaseMs: 1 }),
        await hold(ledger, [line(a)], { leaseMs: 1 }),
      ];
      await set('held', 'inf')(subject as RedisSubject, bad);
      await pass(1);
      assert.deepEqual(
        (await ledger.reap([bad, good])).results.map(({ answer }) => answer),
        ['NOT_DUE', 'REAPED'],
      );
      await redis.command('del', ledger.keys.leases);
      assert.deepEqual((await counters(ledger, a)).reserved, 100);
    },
  },
];

export const REDIS_ONLY: RedisOnly = {
  reserve: { STALE_EPOCH: [staleEpoch('reserve')], LEDGER_LOST: ledgerLost('reserve') },
  extend: { STALE_EPOCH: [staleEpoch('extend')], LEDGER_LOST: ledgerLost('extend') },
  beat: { STALE_EPOCH: [staleEpoch('beat')], LEDGER_LOST: ledgerLost('beat') },
  finalize: {
    STALE_EPOCH: [staleEpoch('finalize')],
    LEDGER_LOST: ledgerLost('finalize'),
    CORRUPT,
  },
  release: { STALE_EPOCH: [staleEpoch('release')], LEDGER_LOST: ledgerLost('release') },
  reap: {
    STALE_EPOCH: [staleEpoch('reap')],
    LEDGER_LOST: ledgerLost('reap'),
    SWEPT: REAP_EXTRA,
  },
  adjust: { STALE_EPOCH: [staleEpoch('adjust')], LEDGER_LOST: ledgerLost('adjust') },
  setLimits: { STALE_EPOCH: [staleEpoch('setLimits')], LEDGER_LOST: ledgerLost('setLimits') },
  restore: { STALE_EPOCH: [staleEpoch('restore')], LEDGER_LOST: ledgerLost('restore') },
};
