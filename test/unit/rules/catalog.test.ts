import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { OperatorError } from '#src/core/errors.js';
import { parseOwnJson } from '#src/core/json.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { parseUsdPerMillion } from '#src/rules/catalog/override.js';
import type { PriceFile, PriceRow } from '#src/rules/catalog/row.js';

const path = join(import.meta.dirname, '..', '..', '..', 'config', 'prices.json');
const file = parseOwnJson<PriceFile>(readFileSync(path, 'utf8'));
const shipped = buildCatalog(file);
const NOW_MS = Date.UTC(2026, 10, 21);

function built(rows: Partial<PriceRow>[], fallbacks: PriceFile['fallbacks'] = {}) {
  const row = { provider: 'p', model: 'm', input: 1, output: 2, source: 'test' };
  return buildCatalog({ rows: rows.map((part) => ({ ...row, ...part })), fallbacks });
}

describe('the shipped catalog', () => {
  test('resolves names, dated names, aliases and prefixes', () => {
    const found = (provider: string, model: string) => shipped.find(provider, model, NOW_MS)?.model;
    expect(found('openai', 'gpt-4o-mini')).toBe('gpt-4o-mini');
    expect(found('openai', 'gpt-4o-mini-2024-07-18')).toBe('gpt-4o-mini');
    expect(found('openai', 'GPT-4o-Mini')).toBe('gpt-4o-mini');
    expect(found('openai', 'gpt-4o-mini-2031-01-01')).toBe('gpt-4o-mini');
    expect(found('anthropic', 'claude-sonnet-4-5@20250929')).toBe('claude-sonnet-4-5');
    expect(found('anthropic', 'claude-opus-4-20250514')).toBe('claude-opus-4-0');
    expect(found('xai', 'grok-3-mini-latest')).toBe('grok-3-mini');
    expect(found('mistral', 'magistral-medium-2507')).toBe('magistral-medium');
    expect(shipped.find('azure', 'grok-3-mini', NOW_MS)?.provider).toBe('xai');
    expect(found('openai', 'no-such-model')).toBeUndefined();
    expect(found('nobody', 'gpt-4o')).toBeUndefined();
  });

  test('every row has whole prices, a source, and a name that leads back to its model', () => {
    expect(file.rows.length).toBeGreaterThan(1_000);
    for (const { price, names } of shipped.list()) {
      expect(price.source).not.toBe('');
      for (const name of names) {
        expect(shipped.find(price.provider, name, NOW_MS)?.model).toBe(price.model);
      }
    }
  });

  test('the sandbox is priced, and models that hide their reasoning are marked', () => {
    expect(shipped.find('sandbox', 'echo', NOW_MS)).toMatchObject({
      input: 1_000_000,
      cachedRead: 100_000,
      output: 4_000_000,
      contextTokens: 128_000,
      outputTokensMax: 16_384,
      source: 'sandbox',
    });
    for (const model of ['o1', 'o3', 'o4-mini', 'gpt-5', 'gpt-5-mini']) {
      expect(shipped.find('openai', model, NOW_MS)?.hiddenOutput).toBe(true);
    }
    expect(shipped.find('openai', 'gpt-4o', NOW_MS)?.hiddenOutput).toBeUndefined();
  });
});

describe('finding', () => {
  test('a price holds from its day on, the oldest also before', () => {
    const before = Date.UTC(2025, 5, 9, 23, 59, 59, 999);
    expect(shipped.find('openai', 'o3', before)?.input).toBe(10_000_000);
    expect(shipped.find('openai', 'o3', Date.UTC(2025, 5, 10))?.input).toBe(2_000_000);
    const dated = built([
      { from: '2026-02-01', input: 20 },
      { from: '2026-01-01', input: 10 },
    ]);
    expect(dated.find('p', 'm', Date.UTC(2025, 0, 1))?.input).toBe(10);
    expect(dated.find('p', 'm', Date.UTC(2026, 0, 15))?.input).toBe(10);
    expect(dated.find('p', 'm', Date.UTC(2026, 1, 1))?.input).toBe(20);
  });

  test('an exact name wins over a prefix, a longer prefix over a shorter', () => {
    const catalog = built([
      { model: 'a', prefixes: ['a-'] },
      { model: 'ab', prefixes: ['a-b-'] },
      { model: 'a-b-c' },
    ]);
    expect(catalog.find('p', 'a-b-c', NOW_MS)?.model).toBe('a-b-c');
    expect(catalog.find('p', 'a-b-d', NOW_MS)?.model).toBe('ab');
    expect(catalog.find('p', 'a-x', NOW_MS)?.model).toBe('a');
  });

  test('only a whole date is taken off a name', () => {
    const catalog = built([{ model: 'small' }]);
    expect(catalog.find('p', 'small-2506', NOW_MS)).toBeUndefined();
    expect(catalog.find('p', 'small-20250601', NOW_MS)?.model).toBe('small');
  });

  test('a fallback provider is asked only where the own one knows nothing', () => {
    const rows = [{ provider: 'maker', model: 'x', input: 5 }, { model: 'y' }];
    const catalog = built(rows, { p: ['maker'] });
    expect(catalog.find('p', 'x', NOW_MS)?.input).toBe(5);
    expect(catalog.find('p', 'y', NOW_MS)?.input).toBe(1);
    expect(catalog.find('maker', 'y', NOW_MS)).toBeUndefined();
  });

  test('the version changes with the price and not with its source', () => {
    const version = (part: Partial<PriceRow>) => built([part]).find('p', 'm', NOW_MS)?.version;
    expect(version({})).toMatch(/^[0-9a-f]{12}$/);
    expect(version({ source: 'elsewhere' })).toBe(version({}));
    expect(version({ output: 3 })).not.toBe(version({}));
    expect(version({ tiers: [{ above: 5, input: 1, output: 2 }] })).not.toBe(version({}));
  });

  test('a row that is no whole number is refused with a remedy', () => {
    for (const input of [0.5, -1, Number.NaN]) {
      expect(() => built([{ input }])).toThrow(OperatorError);
    }
  });
});

describe('overrides', () => {
  test('USD per million tokens become pico-USD exactly', () => {
    expect(parseUsdPerMillion(0.15)).toBe(150_000);
    expect(parseUsdPerMillion('0.15')).toBe(150_000);
    expect(parseUsdPerMillion('0.0375')).toBe(37_500);
    expect(parseUsdPerMillion('1.1')).toBe(1_100_000);
    expect(parseUsdPerMillion('0.000001')).toBe(1);
    expect(parseUsdPerMillion('2.50000000')).toBe(2_500_000);
    expect(parseUsdPerMillion(0)).toBe(0);
    for (const wrong of ['', '-1', '1e3', '0.0000001', '1.', '.5', '0x1', 'free', 1e-7, 1e21]) {
      expect(parseUsdPerMillion(wrong)).toBeUndefined();
    }
  });

  test('an override replaces all token prices of all names and keeps the limits', () => {
    const catalog = buildCatalog(file, { 'openai/gpt-5.4': { input: 1, output: '2.5' } });
    for (const name of ['gpt-5.4', 'gpt-5.4-2026-03-05']) {
      const price = catalog.find('openai', name, NOW_MS);
      expect(price).toMatchObject({ input: 1_000_000, output: 2_500_000, source: 'config' });
      expect(price?.cachedRead).toBeUndefined();
      expect(price?.tiers).toBeUndefined();
      expect(price?.outputTokensMax).toBe(128_000);
      expect(price?.hiddenOutput).toBe(true);
    }
    expect(catalog.find('azure', 'gpt-5.4-mini', NOW_MS)?.source).not.toBe('config');
  });

  test('an override of limits or fees alone keeps the prices and tiers', () => {
    const override = { output_tokens_max: 1_000, fee_request_usd: '0.005' };
    const price = buildCatalog(file, { 'openai/gpt-5.4': override }).find('openai', 'gpt-5.4', 0);
    const plain = shipped.find('openai', 'gpt-5.4', 0);
    expect(price).toMatchObject({ outputTokensMax: 1_000, feeRequestNanoUsd: 5_000_000 });
    expect(price?.input).toBe(plain?.input);
    expect(price?.tiers).toEqual(plain?.tiers);
  });

  test('a pattern prices every model of a provider that the catalog does not know', () => {
    const catalog = buildCatalog(file, { 'local/*': { input: 0, output: 0 } });
    expect(catalog.find('local', 'qwen3', NOW_MS)).toMatchObject({ input: 0, output: 0 });
    expect(catalog.find('other', 'qwen3', NOW_MS)).toBeUndefined();
  });

  test('an override that cannot be read says so and how to write it', () => {
    const wrong = (name: string, override: Record<string, string | number>) => () =>
      buildCatalog(file, { [name]: override });
    expect(wrong('local/x', { input: 1 })).toThrow(/needs `input` and `output`/);
    expect(wrong('local/x', { output_tokens_max: 1 })).toThrow(/needs `input` and `output`/);
    expect(wrong('local/x', { input: '1e3', output: 1 })).toThrow(/has input: 1e3/);
    expect(wrong('nomodel', { input: 1, output: 1 })).toThrow(/no `provider\/model`/);
  });
});
