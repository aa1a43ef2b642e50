// Edges that one process cannot have, or that lie where numbers end: the last amounts below 2^53,
// counters that are gone, ids told twice, ledgers that are lost while they are closed.

import assert from 'node:assert/strict';
import type { Balance } from '#src/core/envelope.js';
import { LedgerUnavailable } from '#src/stores/ledger/ledger.js';
import { readReply } from '#src/stores/ledger/redis-wire.js';
import { correction } from '../guarantees/adjust.js';
import { answerOf, type RedisGuarantee } from '../redis-subject.js';
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
  sentHold,
  usd,
} from '../subject.js';

const MOST = Number.MAX_SAFE_INTEGER;
const LEASE_MS = 60_000;
const unlimited = { limit: null } as const;

export const EDGES: readonly RedisGuarantee[] = [
  {
    name: 'reserve keeps one amount and one limit a line, and no word more',
    async check({ ledger, redis }) {
      const [a, b] = [newEnvelope('a'), newEnvelope('b')];
      const lines = [line(a, { version: 7 }), line(b, { ...unlimited, amount: 5, mode: 'warn' })];
      const key = ledger.keys.reservation(await hold(ledger, lines));
      assert.deepEqual(await redis.command('hmget', key, 'units', 'held', 'limits'), [
        ...['nn', '100 5', '7:1000:b 1::w'],
      ]);
    },
  },
  {
    name: 'extend fills a counter to the last amount there is, and not one further',
    async check({ ledger }) {
      const a = newEnvelope();
      const id = await hold(ledger, [line(a, unlimited)]);
      const more = (nano: number) => ledger.extend({ id, more: usd(nano), leaseMs: LEASE_MS });
      assert.equal((await more(MOST - 99)).answer, 'INVALID_INPUT');
      assert.equal((await more(MOST - 100)).answer, 'EXTENDED');
      assert.equal((await counters(ledger, a)).reserved, MOST);
      assert.equal((await more(1)).answer, 'INVALID_INPUT');
    },
  },
  {
    name: 'reserve fills a counter without a limit to the last amount there is',
    async check({ ledger }) {
      const a = newEnvelope();
      await hold(ledger, [line(a, { ...unlimited, amount: MOST - 1 })]);
      await hold(ledger, [line(a, { ...unlimited, amount: 1 })]);
      assert.equal((await counters(ledger, a)).reserved, MOST);
      const reply = await ledger.reserve(request([line(a, { ...unlimited, amount: 1 })]));
      assert.equal(reply.answer, 'INVALID_INPUT');
    },
  },
  {
    name: 'finalize books to the last amount there is, of committed and of overrun',
    async check({ ledger }) {
      const a = newEnvelope();
      const [first, second, third] = [
        await hold(ledger, [line(a, { ...unlimited, amount: 0 })]),
        await hold(ledger, [line(a, { ...unlimited, amount: 0 })]),
        await hold(ledger, [line(a, { ...unlimited, amount: 0 })]),
      ];
      await ledger.finalize(ending(first, usd(MOST - 5)));
      assert.equal((await ledger.finalize(ending(second, usd(6)))).answer, 'INVALID_INPUT');
      assert.equal((await ledger.finalize(ending(second, usd(5)))).answer, 'FINALIZED');
      assert.deepEqual(await counters(ledger, a), {
        ...{ committed: MOST, overrun: MOST, reserved: 0 },
      });
      await ledger.adjust(correction(newId(), { [a]: -10 }));
      assert.equal((await ledger.finalize(ending(third, usd(1)))).answer, 'INVALID_INPUT');
      assert.equal((await ledger.finalize(ending(third, usd(0)))).answer, 'FINALIZED');
    },
  },
  {
    name: 'reap ends what it cannot book in full, and its event says what it booked',
    async check({ ledger, pass }) {
      const a = newEnvelope();
      const done = await hold(ledger, [line(a, { ...unlimited, amount: 0 })]);
      const ids = [
        await sentHold(ledger, [line(a, unlimited)], usd(7), 1),
        await sentHold(ledger, [line(a, unlimited)], usd(7), 1),
      ];
      await ledger.finalize(ending(done, usd(MOST - 10)));
      await ledger.adjust(correction(newId(), { [a]: 0 }));
      await pass(1);
      const { results } = await ledger.reap(ids);
      assert.deepEqual(
        results.map(({ event }) => event?.lines.map(({ a: amount, o }) => [amount, o])),
        [[[7, 0]], [[3, 0]]],
      );
      assert.deepEqual(await counters(ledger, a), {
        ...{ committed: MOST, overrun: MOST - 10, reserved: 0 },
      });
    },
  },
  {
    name: 'reap books overrun up to the last amount there is',
    async check({ ledger, pass }) {
      const a = newEnvelope();
      const done = await hold(ledger, [line(a, { ...unlimited, amount: 0 })]);
      await ledger.finalize(ending(done, usd(MOST - 10)));
      await ledger.adjust(correction(newId(), { [a]: 10 - MOST }));
      const id = await sentHold(ledger, [line(a, { ...unlimited, amount: 0 })], usd(20), 1);
      await pass(1);
      const [result] = (await ledger.reap([id])).results;
      assert.deepEqual(result?.event?.lines[0], {
        ...{ e: a, l: LABEL, u: 'nano_usd', a: 10, o: 10 },
      });
      assert.deepEqual(await counters(ledger, a), {
        ...{ committed: 10, overrun: MOST, reserved: 0 },
      });
    },
  },
  {
    name: 'adjust goes to the last amount there is, up and down',
    async check({ ledger }) {
      const a = newEnvelope();
      const by = async (nano: number) =>
        (await ledger.adjust(correction(newId(), { [a]: nano }))).answer;
      const spend = async (nano: number) => {
        const id = await hold(ledger, [line(a, { ...unlimited, amount: 0 })]);
        return (await ledger.finalize(ending(id, usd(nano)))).answer;
      };
      assert.equal(await by(MOST), 'ADJUSTED');
      assert.equal(await by(1), 'INVALID_INPUT', 'committed is full');
      assert.equal(await by(-MOST), 'ADJUSTED');
      const half = 2 ** 52;
      assert.equal(await spend(half), 'FINALIZED');
      assert.equal(await by(-half), 'ADJUSTED');
      assert.equal(await by(-1), 'ADJUSTED', 'there is nothing left to take');
      assert.equal(await spend(half - 1), 'FINALIZED');
      assert.equal(await by(1 - half), 'ADJUSTED');
      const { counters: rows } = await ledger.counters('0');
      assert.equal(rows.find(({ envelope }) => envelope === a)?.adjusted, -MOST);
    },
  },
  {
    name: 'adjusted itself never passes the last amount there is',
    async check({ ledger, redis }) {
      const a = newEnvelope();
      const by = async (nano: number) =>
        (await ledger.adjust(correction(newId(), { [a]: nano }))).answer;
      const key = ledger.keys.counter(a, LABEL);
      await by(5);
      await redis.command('hset', key, 'committed', '100', 'adjusted', `${-MOST + 2}`);
      assert.equal(await by(-3), 'INVALID_INPUT');
      assert.equal(await by(-2), 'ADJUSTED');
      await redis.command('hset', key, 'committed', '100', 'adjusted', `${MOST - 2}`);
      assert.equal(await by(3), 'INVALID_INPUT');
      assert.equal(await by(2), 'ADJUSTED');
    },
  },
  {
    name: 'restore holds to the last amount there is',
    async check({ ledger }) {
      const a = newEnvelope();
      await hold(ledger, [line(a, { ...unlimited, amount: 7 })]);
      await ledger.closeAdmission();
      const { timeMs } = await ledger.state();
      const back = async (amount: number, envelope = a) => {
        const lines = [line(envelope, { ...unlimited, amount })];
        const none = { floor: amounts(), seen: amounts(), stub: '{}' };
        const open = { id: newId(), owner: 'o', phase: 'held', lines, ...none } as const;
        const leaseEndsAtMs = timeMs + LEASE_MS;
        return (await ledger.restore({ what: 'hold', hold: { ...open, leaseEndsAtMs } })).answer;
      };
      assert.equal(await back(MOST - 6), 'INVALID_INPUT');
      assert.equal(await back(MOST - 7), 'RESTORED');
      assert.equal(await back(MOST, newEnvelope()), 'RESTORED', 'of a counter that is new');
      assert.equal((await counters(ledger, a)).reserved, MOST);
    },
  },
  {
    name: 'a booking on a counter that is gone makes it known again, with its unit',
    async check({ ledger, redis, pass }) {
      const [late, reaped, adjusted] = ['l', 'r', 'x'].map((name) => newEnvelope(name)) as Three;
      const unit = 'tokens';
      const lines = (envelope: string) => [line(envelope, { unit, amount: 5 })];
      const released = await hold(ledger, lines(late));
      await ledger.release(released);
      const due = await sentHold(ledger, lines(reaped), amounts({ tokens: 3 }), 1);
      await pass(1);
      const gone = [late, reaped].map((envelope) => ledger.keys.counter(envelope, LABEL));
      await redis.command('del', ...gone);
      await ledger.counters('0');
      await ledger.finalize(ending(released, amounts({ tokens: 4 })));
      await ledger.reap([due]);
      const wanted = correction(newId(), { [adjusted]: 6 });
      await ledger.adjust({ ...wanted, lines: [{ ...wanted.lines[0]!, unit }] });
      const { counters: rows } = await ledger.counters('0');
      const told = rows.map((row) => [row.envelope, row.unit, row.committed, row.reserved]);
      assert.deepEqual(told.sort(), [
        [late, unit, 4, 0],
        [reaped, unit, 3, 0],
        [adjusted, unit, 6, 0],
      ]);
    },
  },
  {
    name: 'another gateway extends, beats, reaps and ends what this one holds',
    async check({ ledger, another, pass }) {
      const other = await another();
      const [a, t] = [newEnvelope('a'), newEnvelope('t')];
      const lines = [line(a), line(t, { unit: 'tokens', amount: 5, label: 'ever' })];
      const [extended, finalized, released, late] = [
        await hold(ledger, lines),
        await hold(ledger, lines),
        await hold(ledger, lines),
        await hold(ledger, lines),
      ];
      const due = await sentHold(ledger, lines, usd(2), 1);
      await pass(1);
      const more = amounts({ nano_usd: 10, tokens: 1 });
      const reply = await other.extend({ id: extended, more, leaseMs: LEASE_MS });
      assert.equal(reply.answer, 'EXTENDED');
      assert.deepEqual(
        reply.balances.map(({ envelope, label, unit, reserved }) => [
          ...[envelope, label, unit, reserved],
        ]),
        [
          [a, LABEL, 'nano_usd', 510],
          [t, 'ever', 'tokens', 26],
        ],
      );
      const used = amounts({ nano_usd: 40, tokens: 2 });
      const booked = await other.finalize(ending(finalized, used));
      assert.deepEqual(
        booked.event?.lines.map(({ e, l, u, a: amount }) => [e, l, u, amount]),
        [
          [a, LABEL, 'nano_usd', 40],
          [t, 'ever', 'tokens', 2],
        ],
      );
      assert.equal((await other.release(released)).balances.length, 2);
      const [reaped] = (await other.reap([due])).results;
      assert.deepEqual(
        reaped?.event?.lines.map(({ u, a: amount }) => [u, amount]),
        [
          ['nano_usd', 2],
          ['tokens', 0],
        ],
      );
      await ledger.release(late);
      const third = await another();
      const after = await third.finalize(ending(late, used));
      assert.deepEqual(
        after.event?.lines.map(({ u, a: amount, o }) => [u, amount, o]),
        [
          ['nano_usd', 40, 40],
          ['tokens', 2, 2],
        ],
      );
      assert.deepEqual(await counters(ledger, a), { committed: 82, reserved: 110, overrun: 40 });
    },
  },
  {
    name: 'a hold that was sent is extended, beaten, released and finalized like any other',
    async check({ ledger }) {
      const a = newEnvelope();
      const [first, second] = [
        await sentHold(ledger, [line(a)], usd(3), LEASE_MS),
        await sentHold(ledger, [line(a)], usd(3), LEASE_MS),
      ];
      const floor = amounts({ nano_usd: 9, tokens: 8, requests: 7, concurrency: 6 });
      const more = { id: first, more: usd(2), leaseMs: LEASE_MS };
      assert.equal((await ledger.extend(more)).answer, 'EXTENDED');
      for (const told of [usd(1), floor, usd(2)]) {
        const beats = [{ id: first, seen: usd(8), sent: { floor: told } }];
        assert.deepEqual((await ledger.beat({ owner: 'o', leaseMs: LEASE_MS, beats })).gone, []);
      }
      const { holds } = await ledger.holds({ offset: 0, limit: 9 });
      const open = holds.find(({ id }) => id === first);
      assert.deepEqual([open?.floor, open?.seen], [floor, usd(8)]);
      assert.equal((await ledger.release(second)).answer, 'RELEASED');
      assert.equal((await ledger.finalize(ending(first, usd(103)))).answer, 'FINALIZED');
      assert.deepEqual(await counters(ledger, a), { committed: 103, reserved: 0, overrun: 1 });
    },
  },
  {
    name: 'an overrun of one is counted, and no overrun is not written',
    async check({ ledger, redis, pass }) {
      const a = newEnvelope();
      const fields = async () =>
        ((await redis.command('hkeys', ledger.keys.counter(a, LABEL))) as string[]).sort();
      const spend = async (nano: number) => {
        const id = await hold(ledger, [line(a)]);
        await ledger.finalize(ending(id, usd(nano)));
      };
      const reap = async (nano: number) => {
        const id = await sentHold(ledger, [line(a)], usd(nano), 1);
        await pass(1);
        await ledger.reap([id]);
      };
      const before = ['committed', 'reserved', 'unit'];
      await spend(100);
      assert.deepEqual(await fields(), before);
      await reap(100);
      assert.deepEqual(await fields(), before);
      await spend(101);
      assert.equal((await counters(ledger, a)).overrun, 1);
      await reap(101);
      assert.equal((await counters(ledger, a)).overrun, 2);
    },
  },
  {
    name: 'a new epoch begins closed, with limits and the outbox and nothing else',
    async check({ ledger, redis }) {
      const a = newEnvelope();
      const done = await hold(ledger, [line(a)]);
      await ledger.finalize(ending(done, usd(40)));
      await hold(ledger, [line(a)]);
      await ledger.beginEpoch(5);
      const left: string[] = [];
      for await (const names of redis.scan(`${ledger.keys.prefix}*`, 100)) left.push(...names);
      const { state, limits, outbox, start } = ledger.keys;
      assert.deepEqual(
        left.filter((name) => name !== start).sort(),
        [state, limits, outbox].sort(),
      );
      const { epoch, open } = await ledger.state();
      assert.deepEqual([epoch, open], [5, false]);
      assert.equal((await ledger.reserve(request([line(a)]))).answer, 'LEDGER_LOST');
      await ledger.openAdmission(5);
      assert.equal((await ledger.reserve(request([line(a)]))).answer, 'RESERVED');
      await ledger.closeAdmission();
      await ledger.openAdmission(5);
      assert.deepEqual((await ledger.state()).open, true);
    },
  },
  {
    name: 'an epoch of which Redis lost what was put back is not opened',
    async check({ ledger, redis }) {
      const back = { envelope: newEnvelope(), label: LABEL, unit: 'nano_usd' } as const;
      const counters = { committed: 40, overrun: 0, adjusted: 0 };
      const { state } = ledger.keys;
      const losses = [
        () => redis.command('hset', state, 'seq', '0'),
        () => redis.command('del', state),
      ];
      for (const [i, lose] of losses.entries()) {
        const epoch = 5 + i;
        await ledger.beginEpoch(epoch);
        await ledger.restore({ what: 'counters', ...back, ...counters });
        await lose();
        await assert.rejects(() => ledger.openAdmission(epoch), LedgerUnavailable);
        assert.equal((await ledger.state()).open, false);
      }
    },
  },
  {
    name: 'an epoch begins once, and nothing is cleared after it has opened',
    async check({ ledger, redis, scripts }) {
      const a = newEnvelope();
      await ledger.beginEpoch(5);
      await ledger.openAdmission(5);
      await hold(ledger, [line(a)]);
      await assert.rejects(() => ledger.beginEpoch(5));
      const { open, held } = await ledger.state();
      assert.deepEqual([open, held], [true, 1]);
      const names = [ledger.keys.state, ledger.keys.counter(a, LABEL)];
      for (const [epoch, answer] of [
        ['5', 'INVALID_INPUT'],
        ['4', 'STALE_EPOCH'],
        ['6', 'LEDGER_LOST'],
      ] as const) {
        assert.equal(answerOf(await redis.run(scripts.clear, names, [epoch, '0 0 gx'])), answer);
      }
      assert.equal((await counters(ledger, a)).reserved, 100);
    },
  },
  {
    name: 'until a new epoch is cleared nobody ends or restores what an earlier one left',
    async check({ ledger, redis, scripts, another }) {
      const other = await another();
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)]);
      const { state } = ledger.keys;
      const admit = async (how: string) =>
        answerOf(await redis.run(scripts.admission, [state], ['1', '0 0 gx', how, '2']));
      assert.equal(await admit('begin'), 'DONE');
      const totals = {
        envelope: a,
        label: LABEL,
        unit: 'nano_usd',
        overrun: 0,
        adjusted: 0,
      } as const;
      const restore = () => other.restore({ what: 'counters', ...totals, committed: 7 });
      assert.equal((await other.state()).open, false);
      assert.equal((await other.release(id)).answer, 'LEDGER_LOST');
      assert.equal((await restore()).answer, 'LEDGER_LOST');
      assert.equal((await counters(other, a)).reserved, 100, 'as the earlier epoch left it');
      await redis.command('del', ledger.keys.counter(a, LABEL), ledger.keys.reservation(id));
      await other.closeAdmission();
      assert.equal((await restore()).answer, 'RESTORED');
      assert.equal((await other.release(id)).answer, 'VOIDED_AHEAD');
      assert.deepEqual(await counters(other, a), { committed: 7, reserved: 0, overrun: 0 });
      await redis.command('del', ledger.keys.leases);
    },
  },
  {
    name: 'what a gateway did is told to it alone, and is forgotten with its epoch',
    async check({ ledger, redis, scripts }) {
      const { state, leases } = ledger.keys;
      const lastOf = async (epoch: string, caller: string) =>
        readReply(await redis.run(scripts.state, [state, leases], [epoch, `0 0 ${caller}`])).last;
      const fields = async () => ((await redis.command('hkeys', state)) as string[]).sort();
      await hold(ledger, [line(newEnvelope())]);
      const { seq } = await ledger.state();
      const [own, ...rest] = (await fields()).filter((name) => name.startsWith('g'));
      assert.deepEqual(rest, []);
      assert.deepEqual([await lastOf('1', own!), await lastOf('1', 'gx')], [seq, 0]);
      // As one that has read the watermark of the epoch that it is about to begin.
      ledger.witness(2, 0);
      await ledger.beginEpoch(2);
      assert.deepEqual(await fields(), ['epoch', 'open', 'seq']);
      await ledger.openAdmission(2);
      await hold(ledger, [line(newEnvelope())]);
      await redis.command('hdel', state, 'epoch');
      const { limits } = ledger.keys;
      const nobody = await redis.run(scripts.set_limit, [state, limits], ['0', '0 0 gx']);
      assert.equal(answerOf(nobody), 'LEDGER_LOST', 'also to who knows of no epoch');
      await redis.command('del', leases);
    },
  },
  {
    name: 'last mutations of gateways that are gone are let go of, of no others',
    async check({ ledger, redis, scripts, another }) {
      const { state, roll } = ledger.keys;
      const names = async () =>
        ((await redis.command('hkeys', state)) as string[]).filter((name) => name.startsWith('g'));
      await ledger.answerRoll();
      await hold(ledger, [line(newEnvelope())]);
      const [own] = await names();
      const other = await another();
      await hold(other, [line(newEnvelope())]);
      const theirs = (await names()).find((name) => name !== own)!;
      await redis.command('hset', state, 'glong', '1', 'glately', '1', 'gnever', '1');
      const { timeMs } = await ledger.state();
      const day = 86_400_000;
      await redis.command('zadd', roll, `${timeMs - day - 60_000}`, 'glong');
      await redis.command('zadd', roll, `${timeMs - day + 60_000}`, 'glately');
      await redis.command('zadd', roll, '1', 'gnothing');
      await redis.command('zadd', roll, '1', own!);
      await ledger.answerRoll();
      assert.ok((await names()).includes('glong'), 'not each time that it is asked');
      const reply = await redis.run(
        scripts.roll,
        [state, roll],
        ['1', '0 0 gasks', 'here', `${day}`],
      );
      assert.equal(answerOf(reply), 'DONE');
      const kept = [theirs, 'glately', 'gnever'];
      assert.deepEqual((await names()).sort(), [...kept].sort());
      const heard = (await redis.command('zrange', roll, '0', '-1')) as string[];
      assert.deepEqual(heard.sort(), [...kept, 'gasks'].sort());
      assert.ok(Number(await redis.command('zscore', roll, 'gnever')) >= timeMs, 'its day begins');
      assert.equal((await ledger.state()).open, false, 'one that was let go of trusts nothing');
      assert.equal((await other.state()).open, true);
      await other.close();
      assert.deepEqual((await names()).sort(), ['glately', 'gnever']);
      assert.equal(await redis.command('zscore', roll, theirs), null);
      const fenced = await redis.run(
        scripts.roll,
        [state, roll],
        ['0', '0 0 glately', 'gone', '1'],
      );
      assert.equal(answerOf(fenced), 'STALE_EPOCH');
      const lost = await redis.run(
        scripts.roll,
        [state, roll],
        ['1', '999 0 glately', 'gone', '1'],
      );
      assert.equal(answerOf(lost), 'LEDGER_LOST');
      const wrong = await redis.run(scripts.roll, [state, roll], ['1', '0 0 gnever', 'gone', 'x']);
      assert.equal(answerOf(wrong), 'INVALID_INPUT');
      assert.deepEqual((await names()).sort(), ['glately', 'gnever']);
      // One that has told in this very moment is heard of, however short that is.
      await redis.run(scripts.roll, [state, roll], ['1', '0 0 glately', 'here', '0']);
      assert.deepEqual(await names(), ['glately']);
      assert.deepEqual(await redis.command('zrange', roll, '0', '-1'), ['glately']);
    },
  },
  {
    name: 'a gateway that was fenced off neither closes nor opens',
    async check({ ledger, another }) {
      const other = await another();
      await other.openAdmission(3);
      await assert.rejects(() => ledger.closeAdmission());
      await assert.rejects(() => ledger.openAdmission(4));
      const { epoch, open } = await other.state();
      assert.deepEqual([epoch, open], [3, true]);
    },
  },
  {
    name: 'what was voided ahead is told as released',
    async check({ ledger }) {
      const id = newId();
      await ledger.release(id);
      const reply = await ledger.extend({ id, more: amounts(), leaseMs: LEASE_MS });
      assert.equal(reply.ending, 'released');
      const beats = [{ id, seen: amounts() }];
      const { gone } = await ledger.beat({ owner: 'o', leaseMs: LEASE_MS, beats });
      assert.deepEqual(gone, [{ id, ending: 'released' }]);
      assert.equal((await ledger.finalize(ending(id, usd(1)))).answer, 'UNKNOWN');
    },
  },
  {
    name: 'a beat writes no spend that is not higher, and takes the highest of an id told twice',
    async check({ ledger, redis }) {
      const id = await hold(ledger, [line(newEnvelope())]);
      const tell = (...seens: ReturnType<typeof amounts>[]) =>
        ledger.beat({
          owner: 'o',
          leaseMs: LEASE_MS,
          beats: seens.map((seen) => ({ id, seen })),
        });
      const seen = () => redis.command('hget', ledger.keys.reservation(id), 'seen');
      await tell(amounts());
      assert.equal(await seen(), null);
      await tell(amounts({ nano_usd: 9, tokens: 1 }), amounts({ nano_usd: 2, tokens: 5 }));
      assert.equal(await seen(), '9 5 0 0');
      await redis.command('hset', ledger.keys.reservation(id), 'seen', '9 5 0  0');
      await tell(amounts({ nano_usd: 9, tokens: 5 }));
      assert.equal(await seen(), '9 5 0  0', 'equal is not higher');
    },
  },
  {
    name: 'of an id told twice in one beat the highest floor stays, and its spend beside it',
    async check({ ledger, redis }) {
      const id = await hold(ledger, [line(newEnvelope())]);
      const low = { seen: usd(1), sent: { floor: amounts({ nano_usd: 2, tokens: 5 }) } };
      const high = { seen: usd(3), sent: { floor: amounts({ nano_usd: 9, tokens: 1 }) } };
      const beats = [high, low, low].map((told) => ({ id, ...told }));
      await ledger.beat({ owner: 'o', leaseMs: LEASE_MS, beats });
      const kept = await redis.command(
        ...(['hmget', ledger.keys.reservation(id), 'state', 'seen', 'floor'] as const),
      );
      assert.deepEqual(kept, ['sent', '3 0 0 0', '9 5 0 0']);
    },
  },
  {
    name: 'closing a lost ledger gives it no epoch; holds and counters can be put back',
    async check({ ledger, redis }) {
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)]);
      const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
      for await (const names of redis.scan(`${ledger.keys.prefix}*`, 100)) {
        if (names.length > 0) await redis.command('del', ...names);
      }
      await ledger.closeAdmission();
      const closed = await ledger.state();
      assert.deepEqual([closed.epoch, closed.seq, closed.open], [0, 0, false]);
      const key = { envelope: a, label: LABEL, unit: 'nano_usd' } as const;
      const totals = { ...key, committed: 3, overrun: 2, adjusted: -1 };
      const counted = await ledger.restore({ what: 'counters', ...totals });
      assert.deepEqual([counted.answer, counted.seq], ['RESTORED', 1]);
      assert.deepEqual(counted.balances, [balance(a, { committed: 3, overrun: 2 })]);
      const held = await ledger.restore({ what: 'hold', hold: open! });
      assert.deepEqual([held.answer, held.seq], ['RESTORED', 2]);
      assert.deepEqual(held.balances, [
        balance(a, { committed: 3, overrun: 2, reserved: 100, limit: 1000 }),
      ]);
      await ledger.openAdmission(2);
      assert.equal((await ledger.finalize(ending(id, usd(1)))).answer, 'FINALIZED');
    },
  },
  {
    name: 'a hold that is put back has its very record, limits and units again',
    async check({ ledger, redis }) {
      const [a, b] = [newEnvelope('a'), newEnvelope('b')];
      const lines = [
        line(a, { version: 7 }),
        line(b, { ...unlimited, unit: 'tokens', amount: 5, mode: 'warn' }),
      ];
      const id = await sentHold(ledger, lines, usd(3), LEASE_MS);
      const seen = amounts({ nano_usd: 4, tokens: 2 });
      await ledger.beat({ owner: 'gateway-1', leaseMs: LEASE_MS, beats: [{ id, seen }] });
      const [open] = (await ledger.holds({ offset: 0, limit: 1 })).holds;
      const told = async () => {
        const { limits, reservation } = ledger.keys;
        const hashes = [limits, reservation(id)].map((key) => redis.command('hgetall', key));
        return (await Promise.all(hashes)).map(pairs);
      };
      const before = await told();
      for await (const names of redis.scan(`${ledger.keys.prefix}*`, 100)) {
        if (names.length > 0) await redis.command('del', ...names);
      }
      await ledger.closeAdmission();
      assert.equal((await ledger.restore({ what: 'hold', hold: open! })).answer, 'RESTORED');
      assert.deepEqual(await told(), before);
      const { counters: rows } = await ledger.counters('0');
      assert.deepEqual(rows.map((row) => [row.envelope, row.unit, row.reserved]).sort(), [
        [a, 'nano_usd', 100],
        [b, 'tokens', 5],
      ]);
    },
  },
  {
    name: 'counters that are put back are met with their unit and all their amounts',
    async check({ ledger }) {
      const envelope = newEnvelope();
      await ledger.closeAdmission();
      const totals = { committed: 9, overrun: 2, adjusted: -4 };
      const key = { envelope, label: LABEL, unit: 'tokens' } as const;
      await ledger.restore({ what: 'counters', ...key, ...totals });
      assert.deepEqual((await ledger.counters('0')).counters, [{ ...key, ...totals, reserved: 0 }]);
    },
  },
  {
    name: 'restoring what exists tells its balances as they are',
    async check({ ledger }) {
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)]);
      await ledger.finalize(ending(id, usd(130)));
      await ledger.closeAdmission();
      const key = { envelope: a, label: LABEL, unit: 'nano_usd' } as const;
      const totals = { ...key, committed: 3, overrun: 2, adjusted: -1 };
      const reply = await ledger.restore({ what: 'counters', ...totals });
      assert.equal(reply.answer, 'EXISTS');
      assert.deepEqual(reply.balances, [balance(a, { committed: 130, overrun: 30, limit: 1000 })]);
    },
  },
  {
    name: 'an older limit that a restored hold brings does not replace a newer one',
    async check({ ledger }) {
      const [a, b] = [newEnvelope('a'), newEnvelope('b')];
      const kept = { limit: 70, mode: 'block', version: 5 } as const;
      await ledger.setLimits([
        { envelope: a, ...kept },
        { envelope: b, ...kept },
      ]);
      await ledger.closeAdmission();
      const { timeMs } = await ledger.state();
      const back = async (version: number, limit: number) => {
        const lines = [a, b].map((envelope) => line(envelope, { version, limit, amount: 1 }));
        const none = { floor: amounts(), seen: amounts(), stub: '{}' };
        const open = { id: newId(), owner: 'o', phase: 'held', lines, ...none } as const;
        const leaseEndsAtMs = timeMs + LEASE_MS;
        const reply = await ledger.restore({ what: 'hold', hold: { ...open, leaseEndsAtMs } });
        return reply.balances.map((one) => one.limit);
      };
      assert.deepEqual(await back(4, 10), [70, 70]);
      assert.deepEqual(await back(5, 20), [70, 70]);
      assert.deepEqual(await back(6, 30), [30, 30]);
      const [now] = await ledger.balances([{ envelope: a, label: LABEL, unit: 'nano_usd' }]);
      assert.equal(now?.limit, 30);
    },
  },
  {
    name: 'ledger time is the millisecond that has begun',
    async check({ ledger, redis, scripts, pass }) {
      const { state, leases } = ledger.keys;
      const call = { script: scripts.state, keys: [state, leases], args: ['1', '0 0 gx'] };
      const microsOf = (time: unknown) => {
        const [seconds, rest] = time as [string, string];
        return Number(seconds) * 1e6 + Number(rest);
      };
      // A wrong divisor shows the later in a second the more.
      const startMs = (await ledger.state()).timeMs % 1000;
      await pass(startMs < 800 ? 800 - startMs : 0);
      for (let i = 0; i < 20; i += 1) {
        const [before, reply, after] = await redis.pipeline([['time'], call, ['time']]);
        const { timeMs } = readReply(reply);
        assert.ok(timeMs * 1000 <= microsOf(after), 'it has begun');
        assert.ok(timeMs * 1000 + 1000 > microsOf(before), 'it has not ended');
      }
    },
  },
  {
    name: 'overdue starts anywhere and is never short',
    async check({ ledger, pass }) {
      const a = newEnvelope();
      const due: string[] = [];
      for (let i = 0; i < 5; i += 1) due.push(await hold(ledger, [line(a)], { leaseMs: 1 }));
      await hold(ledger, [line(a)]);
      await pass(1);
      const met = new Set<string>();
      for (let i = 0; i < 150; i += 1) {
        const some = await ledger.overdue(2);
        assert.equal(some.length, 2);
        for (const id of some) met.add(id);
      }
      assert.deepEqual([...met].sort(), due.sort());
      // Where it starts is left to chance.
      for (let i = 0; i < 20; i += 1) {
        assert.equal((await ledger.overdue(5)).length, 5);
        assert.equal((await ledger.overdue(6)).length, 5);
      }
      await ledger.reap(due);
    },
  },
  {
    name: 'limits told twice in one push are judged one after the other',
    async check({ ledger }) {
      const a = newEnvelope();
      const set = (limit: number, version: number) =>
        ({ envelope: a, limit, mode: 'block', version }) as const;
      const reply = await ledger.setLimits([set(5, 5), set(4, 4), set(7, 7), set(7, 7)]);
      assert.deepEqual(reply.stale, [a]);
      const [now] = await ledger.balances([{ envelope: a, label: LABEL, unit: 'nano_usd' }]);
      assert.equal(now?.limit, 7);
      assert.equal((await ledger.setLimits([])).answer, 'SET');
    },
  },
];

type Three = [string, string, string];

/** Fields and values of a hash, in the order of the fields, however the reply had them. */
function pairs(reply: unknown): unknown {
  if (!Array.isArray(reply)) return Object.entries(reply as object).sort();
  return reply.flatMap((field, i) => (i % 2 ? [] : [[field, reply[i + 1]]])).sort();
}

function balance(envelope: string, over: Partial<Balance>): Balance {
  const none = { committed: 0, reserved: 0, overrun: 0, limit: null, mode: 'block' } as const;
  return { envelope, label: LABEL, unit: 'nano_usd', ...none, ...over };
}
