import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CodedError } from '#src/core/errors.js';
import { type JsonObject, parseOwnJson } from '#src/core/json.js';
import type { Price } from '#src/core/price.js';
import { inputTokens, NO_USAGE, outputTokens, type Usage } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge, chargeBound } from '#src/rules/catalog/charge.js';
import { explainCharge } from '#src/rules/catalog/explain.js';
import { overriddenPrice, type PriceOverride } from '#src/rules/catalog/override.js';
import type { PriceFile } from '#src/rules/catalog/row.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { faultOfCharge, randomPrice, randomUsage } from '../../support/meter/charges.js';
import { seeded } from '../../support/seeded.js';
import { DIALECTS } from '../../support/streams.js';
import type { Format } from '../../support/transcripts.js';

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

/** A usage as its provider told it, with the prices of the report that it comes from. */
interface Reported {
  what: string;
  format: Format;
  provider: string;
  usage: JsonObject;
  usd: PriceOverride;
  nano_usd: number;
}
const reported = read<Reported[]>('test', 'fixtures', 'prices', 'reported.json');
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

  test.each(reported)('$what', ({ format, provider, usage, usd, nano_usd: nano }) => {
    const reading = DIALECTS[format].readAnswer({ usage }, quirksOf(provider));
    expect(reading.anomalies).toEqual([]);
    expect(charge(overriddenPrice(`${provider}/m`, usd), reading.usage!)).toBe(nano);
  });

  test('there are at least two hundred', () => {
    expect(golden.length + reported.length).toBeGreaterThanOrEqual(200);
  });
});

describe('generated usages', () => {
  test('10,000 charges equal rational arithmetic, rounded up once', () => {
    const random = seeded(20_261_121);
    for (let round = 0; round < 10_000; round += 1) {
      expect(faultOfCharge(random.below)).toBeUndefined();
    }
  });

  test('no charge within the bounds is above the bound', () => {
    const next = seeded(7).below;
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
