// What a script does with arguments that no gateway would send: it refuses them before it writes.

import assert from 'node:assert/strict';
import type { Redis } from '#src/drivers/redis.js';
import { textsOf } from '#src/drivers/redis-prepared.js';
import type { Script } from '#src/drivers/scripts.js';
import { correction } from '../guarantees/adjust.js';
import { dump } from '../redis-only.js';
import { answerOf, type RedisGuarantee } from '../redis-subject.js';
import {
  amounts,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  newId,
  request,
  STUB,
} from '../subject.js';

// No verb is ever given this amount but by these tests.
const MARK = 123_457;
const BAD = ['nan', 'inf', '-inf', '0x10', '1e3', ' 12 ', '1.5', '', '007', '+1', '-0', '12\n'];
const TOO_BIG = ['9007199254740992', '99999999999999999', '18446744073709551616'];
// As from one who is in epoch 2 and has seen and done nothing there.
const inEpoch2 = (args: readonly string[]) => args.with(0, '2').with(1, '0 0 gx');

type Call = { script: Script; keys: readonly string[]; args: readonly string[] };
const tap = (redis: Redis, calls: Call[]): (() => void) => {
  const run = redis.run.bind(redis);
  redis.run = (script, keys, args, options) => {
    calls.push({ script, keys: textsOf(keys), args: textsOf(args) });
    return run(script, keys, args, options);
  };
  return () => {
    redis.run = run;
  };
};

const isSigned = ({ name }: Script, args: readonly string[], i: number) =>
  name === 'adjust' || (name === 'restore' && args[2] === 'counters' && i === 5);

export const RAW_ARGUMENTS: readonly RedisGuarantee[] = [
  {
    name: 'that are no amounts are refused by the script, before it writes anything',
    async check(subject) {
      const { ledger, redis } = subject;
      const a = newEnvelope();
      const lines = [line(a, { limit: MARK * 100, version: 5, amount: MARK })];
      const id = await hold(ledger, lines);
      const used = amounts({ nano_usd: MARK, tokens: MARK, requests: MARK });
      const all = { ...used, concurrency: MARK };
      const calls: Call[] = [];
      const untap = tap(redis, calls);
      const leaseMs = MARK;
      await ledger.reserve(request(lines, { leaseMs }));
      await ledger.extend({ id, more: all, leaseMs });
      const beats = [amounts(), all].map((seen) => ({ id, seen, sent: { floor: all } }));
      await ledger.beat({ owner: 'o', leaseMs, beats });
      await ledger.adjust(correction(newId(), { [a]: MARK }));
      await ledger.finalize(ending(id, used));
      const told = { envelope: a, mode: 'block' } as const;
      await ledger.setLimits([{ ...told, limit: 1, version: MARK }]);
      await ledger.setLimits([{ ...told, limit: MARK, version: 1 }]);
      await ledger.closeAdmission();
      const key = { envelope: a, label: LABEL, unit: 'nano_usd' } as const;
      const counters = { ...key, committed: MARK, overrun: MARK, adjusted: MARK };
      await ledger.restore({ what: 'counters', ...counters });
      const stub = JSON.stringify(STUB);
      const restored = {
        id: newId(),
        owner: 'o',
        phase: 'sent',
        lines,
        floor: all,
        seen: all,
      } as const;
      await ledger.restore({ what: 'hold', hold: { ...restored, leaseEndsAtMs: MARK, stub } });
      await ledger.openAdmission(2);
      untap();

      let tried = 0;
      for (const { script, keys, args } of calls) {
        // In the next epoch, and a new id or label each, or the answer would be an old one.
        if (script.name === 'restore') await ledger.closeAdmission();
        for (const [i, arg] of args.entries()) {
          // The second is the fence; lines and stub are opaque.
          const isBound = (script.name === 'finalize' && i === 6) || arg.includes(`${MARK}`);
          if (i < 2 || arg.length > 40 || !isBound) continue;
          for (const bad of [...BAD, ...TOO_BIG]) {
            const text = arg === '0' ? bad : arg.replace(/123457(00)?/, bad);
            const told = inEpoch2(args.with(i, text));
            // No limit is no bad one; -0 is 0 where amounts have a sign.
            if (bad === '' && arg.includes(':') && !arg.startsWith(`${MARK}:`)) continue;
            if (bad === '-0' && isSigned(script, args, i)) continue;
            const before = await dump(redis, ledger);
            const reply = await redis.run(script, keys, told);
            assert.equal(
              answerOf(reply),
              'INVALID_INPUT',
              `${script.name} ${i}: ${arg} -> '${bad}'`,
            );
            assert.deepEqual(await dump(redis, ledger), before);
            tried += 1;
          }
        }
      }
      for (const { script, keys, args } of calls) {
        if (script.name === 'admission') continue;
        for (const bad of BAD) {
          const fences = [bad, `${bad} 0 gx`, `0 ${bad} gx`, `0 0 ${bad}`, '0 0 seq'];
          const fenced = fences.map((fence) => args.with(0, '2').with(1, fence));
          for (const told of [args.with(0, bad), ...fenced]) {
            const reply = await redis.run(script, keys, told);
            assert.equal(answerOf(reply), 'INVALID_INPUT', `${script.name}: '${bad}'`);
          }
        }
      }
      assert.ok(tried > 300, `${tried} were tried`);
      await redis.command('del', ledger.keys.leases);
    },
  },
  {
    name: 'that are too many or too few are refused',
    async check(subject) {
      const { ledger, redis } = subject;
      const a = newEnvelope();
      const id = await hold(ledger, [line(a)]);
      const calls: Call[] = [];
      const untap = tap(redis, calls);
      await ledger.reserve(request([line(newEnvelope())]));
      await ledger.extend({ id, more: amounts(), leaseMs: 5000 });
      await ledger.beat({ owner: 'o', leaseMs: 5000, beats: [{ id, seen: amounts() }] });
      await ledger.reap([id]);
      await ledger.adjust(correction(newId(), { [newEnvelope()]: 1 }));
      await ledger.release(id);
      await ledger.finalize(ending(id, amounts()));
      await ledger.closeAdmission();
      const key = { envelope: a, label: LABEL, unit: 'nano_usd' } as const;
      await ledger.restore({ what: 'counters', ...key, committed: 1, overrun: 0, adjusted: 0 });
      const none = { floor: amounts(), seen: amounts(), stub: '{}', leaseEndsAtMs: 1 };
      const open = { id: newId(), owner: 'o', phase: 'held', lines: [line(a)], ...none } as const;
      await ledger.restore({ what: 'hold', hold: open });
      await ledger.openAdmission(2);
      untap();
      for (const { script, keys, args } of calls) {
        if (script.name === 'admission') continue;
        if (script.name === 'restore') await ledger.closeAdmission();
        // The unit letters are as many as the lines, one letter each.
        const letters = args.indexOf('n', 2);
        const units = letters < 0 ? [] : [args.with(letters, 'nn')];
        const isCounters = args[2] === 'counters';
        const others = isCounters ? [] : units;
        for (const told of [args.slice(0, -1), [...args, '0'], ...others]) {
          const before = await dump(redis, ledger);
          const reply = await redis.run(script, keys, inEpoch2(told));
          assert.equal(answerOf(reply), 'INVALID_INPUT', script.name);
          assert.deepEqual(await dump(redis, ledger), before);
        }
        if (script.name === 'restore' && isCounters) {
          const before = await dump(redis, ledger);
          const more = [...keys, ledger.keys.counter(a, 'ever')];
          const reply = await redis.run(script, more, inEpoch2(args));
          assert.equal(answerOf(reply), 'INVALID_INPUT');
          assert.deepEqual(await dump(redis, ledger), before);
        }
      }
      await redis.command('del', ledger.keys.leases);
    },
  },
];
