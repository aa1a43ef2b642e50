// Tables, bars and the banner, as text.

import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type BannerFacts, bannerText } from '#src/edges/cli/banner.js';
import { barText, countText, printable, styled, tableText } from '#src/edges/cli/table.js';

test('columns are as wide as their widest cell, numbers to the right, nothing is a dash', () => {
  const columns = [{ title: 'NAME' }, { title: 'USD', right: true }, { title: 'LAST' }];
  expect(
    tableText(columns, [
      ['a', '1.5', null],
      ['äöüß-long', '10.25', 'x'],
    ]),
  ).toBe('NAME         USD  LAST\na            1.5  -\näöüß-long  10.25  x');
});

test('control characters of others never reach the terminal', () => {
  expect(printable('a\u001b[31mb\nc\u202e')).toBe('a [31mb c ');
});

test('a bar is empty, half, full, and never more than full', () => {
  expect([0, 0.5, 1, 7, -1].map((share) => barText(share, 4))).toEqual([
    '░░░░',
    '██░░',
    '████',
    '████',
    '░░░░',
  ]);
});

test('counts have their thousands apart; colours are there only if wanted', () => {
  expect([0, 999, 1000, 1234567].map(countText)).toEqual(['0', '999', '1 000', '1 234 567']);
  expect(styled('red', 'x', false)).toBe('x');
});

describe('the banner', () => {
  const facts: BannerFacts = {
    version: '0.1.0',
    address: 'http://127.0.0.1:8787',
    operatorAddress: null,
    ledger: 'memory',
    database: 'embedded',
    dataDir: '/srv/data',
    configFile: '/srv/config/gateway.yaml',
    mode: 'enforce',
    sandbox: true,
    providers: ['openai'],
    madeKeys: {
      agent: { name: 'coder-1', key: 'sk-purser-agent' },
      admin: { key: 'sk-purser-admin', file: '/srv/data/admin-key' },
    },
    warnings: [],
  };
  const curl = (text: string) => text.split('\n').find((line) => line.includes('curl')) ?? '';

  test('at the first start', () => {
    expect(bannerText(facts, false)).toMatchInlineSnapshot(`
      "Purser 0.1.0 listens at http://127.0.0.1:8787
        ledger     in this process; database embedded in /srv/data
        providers  sandbox, openai
        config     /srv/config/gateway.yaml

      Keys, shown this once:
        coder-1    sk-purser-agent
        admin      sk-purser-admin (also in /srv/data/admin-key)

      A first call:
        curl -iN http://127.0.0.1:8787/v1/chat/completions -H "Authorization: Bearer sk-purser-agent" -H "Content-Type: application/json" -d '{"model":"sandbox/echo","stream":true,"messages":[{"role":"user","content":"Hello, Purser"}]}'

      Next: npx purser usage | npx purser limit list | npx purser --help
      "
    `);
  });

  test('at a later start shows no key, and the line names the variable', () => {
    const text = bannerText({ ...facts, madeKeys: { agent: null, admin: null } }, false);
    expect(text).not.toContain('sk-purser');
    expect(text).toContain('Bearer $PURSER_KEY');
  });

  test('the printed line is one that a shell passes on whole', () => {
    const line = curl(bannerText(facts, false)).replace('curl', 'printf "%s\\n"');
    const words = execFileSync('sh', ['-c', line], { encoding: 'utf8' }).trimEnd().split('\n');
    expect(words).toContain('Authorization: Bearer sk-purser-agent');
    expect(JSON.parse(words.at(-1) ?? '')).toMatchObject({ model: 'sandbox/echo', stream: true });
  });

  test('without the sandbox there is no line that would not work', () => {
    expect(curl(bannerText({ ...facts, sandbox: false }, false))).toBe('');
    const none = bannerText({ ...facts, sandbox: false, providers: [] }, false);
    expect(none).toContain('none: set a key such as OPENAI_API_KEY');
  });
});
