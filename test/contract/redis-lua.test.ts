// The scripts by themselves: what they are told raw, what they may name, how long things live.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, inject, test } from 'vitest';
import type { Redis } from '#src/drivers/redis.js';
import { loadScripts, putTogether, SCRIPT_NAMES, type Script } from '#src/drivers/scripts.js';
import { labelEndsBeforeMs } from '#src/rules/budget/label-end.js';
import { correction } from './guarantees/adjust.js';
import { dump } from './redis-only.js';
import { openRedisSubject, type RedisSubject } from './redis-subject.js';
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
} from './subject.js';

let subject: RedisSubject;
beforeEach(async () => {
  subject = await openRedisSubject({ urls: [inject('redisUrl')] });
});
afterEach(() => subject.stop());

const FOLDER = join(import.meta.dirname, '..', '..', 'lua');
const FILES = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.lua'),
);
const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const codeOf = (text: string): string =>
  text.replace(/--\[\[[\s\S]*?\]\]/g, '').replace(/--[^\n]*/g, '');

describe('the texts of the scripts', () => {
  test('every file is loaded, and Redis takes each of them', async () => {
    const parts = FILES.filter((name) => name.startsWith('parts')).length;
    assert.equal(FILES.length - parts, SCRIPT_NAMES.length);
    for (const { sha, text } of Object.values(subject.scripts)) {
      assert.equal(await subject.redis.command('script', 'load', text), sha);
    }
  });

  test('only reserve is refused where memory is full; reads say that they do not write', () => {
    for (const name of SCRIPT_NAMES) {
      const first = read(`${name}.lua`).split('\n', 1)[0];
      const isRead = ['state', 'balances', 'overdue'].includes(name);
      const wanted =
        name === 'reserve' ? '#!lua' : `#!lua flags=${isRead ? 'no-writes' : 'allow-oom'}`;
      assert.equal(first, wanted, name);
    }
  });

  test('every key that is touched is a declared one', () => {
    for (const name of FILES) {
      for (const [, first] of codeOf(read(name)).matchAll(/redis\.call\('\w+',\s*([^,)\s]+)/g)) {
        assert.match(first!, /^(KEYS\[|key$|labels$)/, `${name}: ${first}`);
      }
      const names = [...codeOf(read(name)).matchAll(/local key = (.+)|, key = .+, (.+)/g)];
      for (const [, one, two] of names) assert.match((one ?? two)!, /^KEYS\[/, name);
    }
  });

  test('no number is joined to a text but by its digits', () => {
    for (const name of FILES) {
      for (const [, right] of codeOf(read(name)).matchAll(/\.\.\s*([\w.[\]() ]+)/g)) {
        assert.match(right!, /^(texts\[|digits\()/, `${name}: .. ${right}`);
      }
    }
  });

  test('every answer stands in the header, and no other', () => {
    const shared = ['INVALID_INPUT', 'LEDGER_LOST', 'STALE_EPOCH'];
    for (const name of SCRIPT_NAMES) {
      const text = read(`${name}.lua`);
      const [header = ''] = text.match(/--\[\[[\s\S]*?\]\]/) ?? [];
      const given = [...codeOf(text).matchAll(/'([A-Z][A-Z_]{3,})'/g)].map(([, word]) => word!);
      const answers = new Set(given.filter((word) => header.includes(word)));
      const spoken = [...codeOf(text).matchAll(/reply\([^()]*'([A-Z_]+)'/g)].map(([, w]) => w!);
      for (const word of spoken) assert.ok(header.includes(word), `${name}: ${word} is not told`);
      const returns = header.slice(header.indexOf('Returns'));
      for (const [word] of returns.matchAll(/\b[A-Z]{4}[A-Z_]*\b/g)) {
        if (shared.includes(word) || word === 'KEYS') continue;
        assert.ok(answers.has(word), `${name}: ${word} is told but never given`);
      }
    }
  });

  test('a part that is not there is an error, and a part stands where it is named', () => {
    assert.equal(
      putTogether('a\n-- include x\nb', () => 'one\ntwo\n'),
      'a\none\ntwo\nb',
    );
    assert.throws(() => loadScripts(join(FOLDER, 'parts')));
    assert.doesNotMatch(subject.scripts.reap.text, /^-- include/m);
  });
});

describe('raw arguments', () => {
  // No verb is ever given this amount but by these tests.
  const MARK = 123_457;
  const BAD = ['nan', 'inf', '-inf', '0x10', '1e3', ' 12 ', '1.5', '', '007', '+1', '-0', '12\n'];
  const TOO_BIG = ['9007199254740992', '99999999999999999', '18446744073709551616'];

  type Call = { script: Script; keys: readonly string[]; args: readonly string[] };
  const tap = (redis: Redis, calls: Call[]): (() => void) => {
    const run = redis.run.bind(redis);
    redis.run = (script, keys, args, options) => {
      calls.push({ script, keys, args });
      return run(script, keys, args, options);
    };
    return () => {
      redis.run = run;
    };
  };

  const isSigned = ({ name }: Script, args: readonly string[], i: number) =>
    name === 'adjust' || (name === 'restore' && args[2] === 'counters' && i === 5);

  test('that are no amounts are refused by the script, before it writes anything', async () => {
    const { ledger, redis } = subject;
    const a = newEnvelope();
    const lines = [line(a, { limit: MARK * 100, version: 123_457, amount: MARK })];
    const id = await hold(ledger, lines);
    const all = amounts({ nano_usd: MARK, tokens: MARK, requests: MARK });
    const calls: Call[] = [];
    const untap = tap(redis, calls);
    const leaseMs = MARK;
    await ledger.reserve(request(lines, { leaseMs }));
    await ledger.extend({ id, more: all, sent: { floor: all }, leaseMs });
    await ledger.beat({ owner: 'o', leaseMs, beats: [{ id, seen: all }] });
    await ledger.adjust(correction(newId(), { [a]: MARK }));
    await ledger.finalize(ending(id, all));
    await ledger.setLimits([{ envelope: a, limit: MARK, mode: 'block', version: 123_457 }]);
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
        // The second is the seq seen; lines and stub are opaque.
        if (i < 2 || arg.length > 40 || !arg.includes(`${MARK}`)) continue;
        for (const bad of [...BAD, ...TOO_BIG]) {
          const told = args.with(i, arg.replace(/123457(00)?/, bad)).with(0, '2');
          // No limit is no bad one; -0 is 0 where amounts have a sign.
          if (bad === '' && arg.includes(':') && !arg.startsWith(`${MARK}:`)) continue;
          if (bad === '-0' && isSigned(script, args, i)) continue;
          const before = await dump(redis, ledger);
          const reply = (await redis.run(script, keys, told)) as unknown[];
          assert.equal(reply[0], 'INVALID_INPUT', `${script.name} ${i}: ${arg} -> '${bad}'`);
          assert.deepEqual(await dump(redis, ledger), before);
          tried += 1;
        }
      }
    }
    assert.ok(tried > 300, `${tried} were tried`);
    await redis.command('del', ledger.keys.leases);
  });

  test('that are too many or too few are refused', async () => {
    const { ledger, redis } = subject;
    const id = await hold(ledger, [line(newEnvelope())]);
    const calls: Call[] = [];
    const untap = tap(redis, calls);
    await ledger.reserve(request([line(newEnvelope())]));
    await ledger.extend({ id, more: amounts(), leaseMs: 5000 });
    await ledger.beat({ owner: 'o', leaseMs: 5000, beats: [{ id, seen: amounts() }] });
    await ledger.reap([id]);
    await ledger.adjust(correction(newId(), { [newEnvelope()]: 1 }));
    await ledger.release(id);
    await ledger.finalize(ending(id, amounts()));
    untap();
    for (const { script, keys, args } of calls) {
      for (const told of [args.slice(0, -1), [...args, '0']]) {
        const before = await dump(redis, ledger);
        const reply = (await redis.run(script, keys, told)) as unknown[];
        assert.equal(reply[0], 'INVALID_INPUT', script.name);
        assert.deepEqual(await dump(redis, ledger), before);
      }
    }
  });
});

describe('how long keys live', () => {
  const HOUR_MS = 3_600_000;
  const ttl = async (key: string) => Number(await subject.redis.command('pttl', key));
  const near = (actual: number, wanted: number) =>
    assert.ok(actual <= wanted && actual > wanted - 10_000, `${actual} is not near ${wanted}`);

  test('endings and adjusts two hours, refusals five minutes, holds until they end', async () => {
    const { ledger } = subject;
    const { keys } = ledger;
    const a = newEnvelope();
    const [open, finalized, released, reaped] = [
      await hold(ledger, [line(a)]),
      await hold(ledger, [line(a)]),
      await hold(ledger, [line(a)]),
      await hold(ledger, [line(a)], { leaseMs: 1 }),
    ];
    await subject.pass(1);
    await ledger.finalize(ending(finalized, amounts()));
    await ledger.release(released);
    await ledger.reap([reaped]);
    const voided = newId();
    await ledger.release(voided);
    assert.equal(await ttl(keys.reservation(open)), -1);
    for (const id of [finalized, released, reaped, voided]) {
      near(await ttl(keys.reservation(id)), 2 * HOUR_MS);
    }
    const refused = request([line(newEnvelope(), { limit: 1 })]);
    await ledger.reserve(refused);
    near(await ttl(keys.reservation(refused.id)), HOUR_MS / 12);
    const adjusted = newId();
    await ledger.adjust(correction(adjusted, { [a]: 1 }));
    near(await ttl(keys.adjust(adjusted)), 2 * HOUR_MS);
  });

  test('an ended hold keeps what a late finalize needs, and no more', async () => {
    const { ledger, redis } = subject;
    const id = await hold(ledger, [line(newEnvelope())]);
    await ledger.finalize(ending(id, amounts()));
    const fields = (await redis.command('hkeys', ledger.keys.reservation(id))) as string[];
    assert.deepEqual(fields.sort(), ['lines', 'state', 'units']);
  });

  test('a counter 48 h after its label and its last hold, ever for ever', async () => {
    const { ledger } = subject;
    const counter = (label: string) => ledger.keys.counter(a, label);
    const a = newEnvelope();
    const { timeMs } = await ledger.state();
    const labels = ['2020-01', '2099-12', 'ever'];
    const ends = (label: string) =>
      Math.max(labelEndsBeforeMs(label)!, timeMs) + 48 * HOUR_MS - timeMs;
    const lines = labels.map((label) => line(a, { label, limit: null }));
    const id = await hold(ledger, lines);
    for (const label of labels) assert.equal(await ttl(counter(label)), -1);
    await ledger.finalize(ending(id, amounts()));
    near(await ttl(counter('2020-01')), ends('2020-01') + 5_000);
    near(await ttl(counter('2099-12')), ends('2099-12') + 5_000);
    assert.equal(await ttl(counter('ever')), -1);

    const others = [await hold(ledger, lines), await hold(ledger, lines)] as const;
    assert.equal(await ttl(counter('2020-01')), -1, 'a new hold takes the clock away');
    await ledger.release(others[0]);
    assert.equal(await ttl(counter('2020-01')), -1, 'while another hold is left');
    await ledger.release(others[1]);
    near(await ttl(counter('2020-01')), ends('2020-01') + 5_000);
  });

  test('a counter that only a correction made has a clock, until something is held', async () => {
    const { ledger } = subject;
    const a = newEnvelope();
    const key = ledger.keys.counter(a, LABEL);
    await ledger.adjust(correction(newId(), { [a]: 5 }));
    assert.ok((await ttl(key)) > 0);
    await hold(ledger, [line(a)]);
    assert.equal(await ttl(key), -1);
  });

  test('a hold of nothing that is extended keeps its counter', async () => {
    const { ledger } = subject;
    const a = newEnvelope();
    const key = ledger.keys.counter(a, LABEL);
    const empty = await hold(ledger, [line(a, { amount: 0 })]);
    await ledger.release(await hold(ledger, [line(a)]));
    assert.ok((await ttl(key)) > 0);
    await ledger.extend({ id: empty, more: amounts({ nano_usd: 1 }), leaseMs: 5_000 });
    assert.equal(await ttl(key), -1);
  });

  test('a restored hold keeps its counter, restored counters have a clock', async () => {
    const { ledger } = subject;
    const [a, b] = [newEnvelope(), newEnvelope()];
    await ledger.closeAdmission();
    for (const envelope of [a, b]) {
      const key = { envelope, label: LABEL, unit: 'nano_usd' } as const;
      await ledger.restore({ what: 'counters', ...key, committed: 5, overrun: 0, adjusted: 0 });
    }
    assert.ok((await ttl(ledger.keys.counter(a, LABEL))) > 0);
    const { timeMs } = await ledger.state();
    const none = { floor: amounts(), seen: amounts(), stub: '{}' };
    const open = { id: newId(), owner: 'o', phase: 'held', lines: [line(b)], ...none } as const;
    await ledger.restore({ what: 'hold', hold: { ...open, leaseEndsAtMs: timeMs + 60_000 } });
    assert.equal(await ttl(ledger.keys.counter(b, LABEL)), -1);
  });
});
