// The scripts by themselves: what they are told raw, what they may name, how long things live.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, inject, test } from 'vitest';
import { loadScripts, putTogether, SCRIPT_NAMES } from '#src/drivers/scripts.js';
import { openRedisSubject, type RedisSubject } from './redis-subject.js';

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
      for (const [, one, two] of names) assert.match((one ?? two)!, /^(KEYS\[|reap\.key)/, name);
    }
  });

  test('no number is joined to a text but by its digits', () => {
    for (const name of FILES) {
      for (const [, right] of codeOf(read(name)).matchAll(/\.\.\s*([\w.[\]() ]+)/g)) {
        assert.match(right!, /^digits\(/, `${name}: .. ${right}`);
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
