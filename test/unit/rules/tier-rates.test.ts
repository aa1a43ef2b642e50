import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Price } from '#src/core/price.js';
import { NO_USAGE } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge } from '#src/rules/catalog/charge.js';
import { overriddenPrice } from '#src/rules/catalog/override.js';
import type { PriceFile } from '#src/rules/catalog/row.js';
import { possiblePrices, priceAt } from '#src/rules/catalog/tier-rates.js';

const file = new URL('../../../config/prices.json', import.meta.url);
const catalog = buildCatalog(JSON.parse(readFileSync(file, 'utf8')) as PriceFile);
const usage = { ...NO_USAGE, input: 1_000, cachedRead: 100, output: 10, reasoning: 5, requests: 1 };
const price = (model: string): Price => catalog.find('openai', model, Date.UTC(2026, 10, 21))!;

test.each([
  ['gpt-5', undefined, 1_000 * 1_250 + 100 * 125 + 15 * 10_000],
  ['gpt-5', 'default', 1_000 * 1_250 + 100 * 125 + 15 * 10_000],
  ['gpt-5', 'flex', 625_000 + 6_250 + 15 * 5_000],
  ['gpt-5-2025-08-07', 'priority', 2_500_000 + 25_000 + 15 * 20_000],
  ['gpt-4o-mini', 'priority', 250_000 + 12_500 + 15 * 1_000],
  ['o4-mini', 'flex', 550_000 + 13_800 + 15 * 2_200],
  ['o3', 'flex', 1_000_000 + 25_000 + 15 * 4_000],
  ['gpt-5.2', 'priority', 3_500_000 + 35_000 + 15 * 28_000],
  ['gpt-5.3-codex', 'priority', 3_500_000 + 35_000 + 15 * 28_000],
  ['gpt-5.4', 'priority', 5_000_000 + 50_000 + 15 * 30_000],
  ['gpt-5.4-mini', 'flex', 375_000 + 3_750 + 15 * 2_250],
  ['gpt-5.5', 'priority', 10_000_000 + 100_000 + 15 * 60_000],
  ['gpt-4', 'priority', 1_100 * 30_000 + 15 * 60_000],
])('%s at %s costs what is published', (model, tier, nano) => {
  expect(charge(priceAt(price(model), tier), usage)).toBe(nano);
});

test('what a call leaves open is bounded by the dearest of it', () => {
  const most = (asked: unknown, isStrict = false) =>
    Math.max(
      ...possiblePrices(price('gpt-5'), asked, isStrict).map(({ output }) => output / 1_000),
    );
  expect([most(undefined), most('default'), most('flex')]).toEqual([10_000, 10_000, 10_000]);
  expect([most('priority'), most('auto'), most(undefined, true)]).toEqual([20_000, 20_000, 20_000]);
  expect([most('default', true), most('scale'), most('__proto__')]).toEqual([
    10_000, 10_000, 10_000,
  ]);
});

test('an override may have tiers of its own, and keeps its fees at each', () => {
  const own = overriddenPrice('local/m', {
    ...{ input: 1, output: 2, fee_request_usd: '0.001' },
    service_tiers: { slow: { input: '0.5', output: '0.25' } },
  });
  expect(charge(priceAt(own, 'slow'), usage)).toBe(1_100 * 500 + 15 * 250 + 1_000_000);
  const bad = { input: 1, output: 2, service_tiers: { slow: { input: 1 } } };
  expect(() => overriddenPrice('local/m', bad)).toThrow(/slow/);
});
