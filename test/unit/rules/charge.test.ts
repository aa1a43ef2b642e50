import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CodedError } from '#src/core/errors.js';
import { parseOwnJson } from '#src/core/json.js';
import type { Price, TokenPrices } from '#src/core/price.js';
import { inputTokens, NO_USAGE, outputTokens, type Usage } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge, chargeBound } from '#src/rules/catalog/charge.js';
import { explainCharge } from '#src/rules/catalog/explain.js';
import type { PriceFile } from '#src/rules/catalog/row.js';

const root = join(import.meta.dirname, '..', '..', '..');
const read = <T>(...path: string[]) => parseOwnJson<T>(readFileSync(join(root, ...path), 'utf8'));
const catalog = buildCatalog(read<PriceFile>('config', 'prices.json'));

interface Golden {
  target: string;
  usage: Partial<Usage>;
  nano_usd: number;
  worked: string;
}
const golden = read<Golden[]>('test', 'fixtures', 'prices', 'golden.json');
const TODAY_MS = Date.UTC(2026, 10, 21);

/** `provider/model`, with `@day` for another day. */
function priceOf(target: string): Price {
  const [name = '', day] = target.split('@');
  const slash = name.indexOf('/');
  const atMs = day === undefined ? TODAY_MS : Date.parse(day);
  const price = catalog.find(name.slice(0, slash), name.slice(slash + 1), atMs);
  if (price === undefined) throw new Error(`no price of ${target}`);
  return price;
}

describe('golden usages', () => {
  test.each(golden)('$target $usage costs $nano_usd nano-USD', (row) => {
    expect(charge(priceOf(row.target), { ...NO_USAGE, ...row.usage })).toBe(row.nano_usd);
  });

  test('there are at least sixty', () => {
    expect(golden.length).toBeGreaterThanOrEqual(60);
  });
});

/** A small seeded generator (mulberry32): a failing case can be made again. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const RATES = ['cachedRead', 'cacheWrite5m', 'cacheWrite1h', 'reasoning', 'audioInput'] as const;

function randomPrices(next: (below: number) => number): TokenPrices {
  const prices: TokenPrices = { input: next(30_000_000), output: next(200_000_000) };
  for (const key of RATES) if (next(2) === 0) prices[key] = next(60_000_000);
  if (next(2) === 0) prices.audioOutput = next(90_000_000);
  if (next(2) === 0) prices.imageInput = next(90_000_000);
  return prices;
}

function randomPrice(next: (below: number) => number): Price {
  const price: Price = {
    ...randomPrices(next),
    provider: 'p',
    model: 'm',
    version: 'v',
    source: 'generated',
  };
  if (next(2) === 0) {
    const first = next(300_000);
    price.tiers = [
      { ...randomPrices(next), aboveInputTokens: first },
      { ...randomPrices(next), aboveInputTokens: first + 1 + next(300_000) },
    ];
  }
  if (next(3) === 0) price.feeRequestNanoUsd = next(20_000_000);
  if (next(3) === 0) price.feeWebSearchNanoUsd = next(40_000_000);
  return price;
}

function randomUsage(next: (below: number) => number): Usage {
  const usage = { ...NO_USAGE };
  const size = [3, 1_000, 400_000, 1_000_000][next(4)] ?? 3;
  for (const key of Object.keys(usage) as (keyof Usage)[]) {
    if (next(2) === 0) usage[key] = next(key === 'requests' || key === 'webSearches' ? 5 : size);
  }
  return usage;
}

/** The oracle: fractions of USD, each class by the published fall-backs, rounded once at the end. */
function oracleNano(price: Price, usage: Usage): bigint {
  const input = inputTokens(usage);
  const bands = [{ from: -1, rates: price as TokenPrices }];
  for (const tier of price.tiers ?? []) bands.push({ from: tier.aboveInputTokens, rates: tier });
  const { rates } = bands.filter((band) => input > band.from).pop() ?? { rates: price };
  const five = rates.cacheWrite5m ?? rates.input;
  const perToken: [number, number][] = [
    [usage.input, rates.input],
    [usage.cachedRead, rates.cachedRead ?? rates.input],
    [usage.cacheWrite5m, five],
    [usage.cacheWrite1h, rates.cacheWrite1h ?? five],
    [usage.audioInput, rates.audioInput ?? rates.input],
    [usage.imageInput, rates.imageInput ?? rates.input],
    [usage.output, rates.output],
    [usage.reasoning, rates.reasoning ?? rates.output],
    [usage.audioOutput, rates.audioOutput ?? rates.output],
  ];
  // numerator over 10^12 USD
  let top = 0n;
  for (const [count, rate] of perToken) top += BigInt(count) * BigInt(rate);
  top += BigInt(usage.requests) * BigInt(price.feeRequestNanoUsd ?? 0) * 10n ** 3n;
  top += BigInt(usage.webSearches) * BigInt(price.feeWebSearchNanoUsd ?? 0) * 10n ** 3n;
  const whole = top / 10n ** 3n;
  return top % 10n ** 3n === 0n ? whole : whole + 1n;
}

describe('generated usages', () => {
  test('10,000 charges equal rational arithmetic, rounded up once', () => {
    const next = seeded(20_261_121);
    for (let round = 0; round < 10_000; round += 1) {
      const [price, usage] = [randomPrice(next), randomUsage(next)];
      const wanted = oracleNano(price, usage);
      if (BigInt(charge(price, usage)) !== wanted) {
        expect({ round, price, usage, nano: charge(price, usage) }).toBe(wanted);
      }
    }
  });

  test('no charge within the bounds is above the bound', () => {
    const next = seeded(7);
    for (let round = 0; round < 5_000; round += 1) {
      const [price, usage] = [randomPrice(next), randomUsage(next)];
      usage.requests = Math.min(usage.requests, 1);
      const choices = 1 + next(3);
      const output = Math.ceil(outputTokens(usage) / choices);
      const every = { cacheWrites: true, audio: true, images: true };
      const searches = { ...every, webSearches: usage.webSearches };
      const input = inputTokens(usage) + next(2) * next(200_000);
      const bound = chargeBound(price, input, output, choices, searches);
      if (charge(price, usage) > bound) expect({ round, price, usage }).toBe(bound);
    }
  });
});

describe('bounds', () => {
  const price = priceOf('anthropic/claude-sonnet-4-5');

  test('a bound counts cache writes only if asked', () => {
    expect(chargeBound(price, 1_000, 10)).toBe(3_000_000 + 150_000);
    expect(chargeBound(price, 1_000, 10, 1, { cacheWrites: true })).toBe(6_000_000 + 150_000);
  });

  test('a bound multiplies the output by the answers, and the prompt not', () => {
    expect(chargeBound(price, 1_000, 10, 4)).toBe(3_000_000 + 4 * 150_000);
  });

  test('a bound over a threshold takes the dearer tier for the whole call', () => {
    expect(chargeBound(price, 200_000, 1)).toBe(600_000_000 + 15_000);
    expect(chargeBound(price, 200_001, 1)).toBe(200_001 * 6_000 + 22_500);
  });

  test('a fee for the request is in the bound', () => {
    expect(chargeBound(priceOf('perplexity/sonar'), 10, 10)).toBe(20_000 + 12_000_000);
  });

  test('what one counter cannot hold is a coded error, not a wrong number', () => {
    expect(() => chargeBound(price, 2 ** 52, 2 ** 52)).toThrow(CodedError);
    const usage = { ...NO_USAGE, output: 2 ** 52 };
    expect(() => charge(price, usage)).toThrow(/more than one counter/);
  });

  test('a count that is no count is a bug, not a charge', () => {
    for (const input of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => charge(price, { ...NO_USAGE, input })).toThrow(/counts only/);
    }
  });
});

describe('explain', () => {
  test('the lines of an explanation add up to the charge', () => {
    const usage = { ...NO_USAGE, input: 1, cachedRead: 11, output: 2, reasoning: 340 };
    const told = explainCharge(priceOf('xai/grok-3-mini'), usage);
    expect(told.lines).toEqual([
      { item: 'input', quantity: 1, rateUsd: '0.30', per: 'million tokens', usd: '0.0000003' },
      {
        item: 'cachedRead',
        quantity: 11,
        rateUsd: '0.075',
        per: 'million tokens',
        usd: '0.000000825',
      },
      { item: 'output', quantity: 2, rateUsd: '0.50', per: 'million tokens', usd: '0.000001' },
      { item: 'reasoning', quantity: 340, rateUsd: '0.50', per: 'million tokens', usd: '0.00017' },
    ]);
    expect(told.totalUsd).toBe('0.000172125');
    expect(told.tierAboveInputTokens).toBeNull();
  });

  test('an explanation names the tier and the fees', () => {
    const usage = { ...NO_USAGE, input: 300_000, webSearches: 2 };
    const told = explainCharge(priceOf('anthropic/claude-sonnet-4-5'), usage);
    expect(told.tierAboveInputTokens).toBe(200_000);
    expect(told.lines[1]).toEqual({
      item: 'webSearches',
      quantity: 2,
      rateUsd: '0.01',
      per: 'each',
      usd: '0.02',
    });
  });
});
