// Prices and usages made at random, and what they cost by fractions: what charges are held against.

import type { Price, TokenPrices } from '#src/core/price.js';
import { inputTokens, NO_USAGE, type Usage } from '#src/core/usage.js';
import { charge } from '#src/rules/catalog/charge.js';
import { add, ceilNano, type Fraction, over, ZERO } from './rational.js';

type Next = (below: number) => number;

const RATES = ['cachedRead', 'cacheWrite5m', 'cacheWrite1h', 'reasoning', 'audioInput'] as const;

function randomPrices(next: Next): TokenPrices {
  const prices: TokenPrices = { input: next(30_000_000), output: next(200_000_000) };
  for (const key of RATES) if (next(2) === 0) prices[key] = next(60_000_000);
  if (next(2) === 0) prices.audioOutput = next(90_000_000);
  if (next(2) === 0) prices.imageInput = next(90_000_000);
  return prices;
}

export function randomPrice(next: Next): Price {
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

export function randomUsage(next: Next): Usage {
  const usage = { ...NO_USAGE };
  const size = [3, 1_000, 400_000, 1_000_000][next(4)] ?? 3;
  for (const key of Object.keys(usage) as (keyof Usage)[]) {
    if (next(2) === 0) usage[key] = next(key === 'requests' || key === 'webSearches' ? 5 : size);
  }
  return usage;
}

/** Each class by the published fall-backs, in USD, rounded once at the end. */
export function oracleNano(price: Price, usage: Usage): bigint {
  const input = inputTokens(usage);
  const bands = [{ from: -1, rates: price as TokenPrices }];
  for (const tier of price.tiers ?? []) bands.push({ from: tier.aboveInputTokens, rates: tier });
  const { rates } = bands.filter((band) => input > band.from).pop() ?? { rates: price };
  const five = rates.cacheWrite5m ?? rates.input;
  const PICO = 10n ** 12n;
  const NANO = 10n ** 9n;
  const each = (count: number, rate: number, unit: bigint): Fraction =>
    over({ top: BigInt(count) * BigInt(rate), bottom: 1n }, unit);
  return ceilNano(
    [
      each(usage.input, rates.input, PICO),
      each(usage.cachedRead, rates.cachedRead ?? rates.input, PICO),
      each(usage.cacheWrite5m, five, PICO),
      each(usage.cacheWrite1h, rates.cacheWrite1h ?? five, PICO),
      each(usage.audioInput, rates.audioInput ?? rates.input, PICO),
      each(usage.imageInput, rates.imageInput ?? rates.input, PICO),
      each(usage.output, rates.output, PICO),
      each(usage.reasoning, rates.reasoning ?? rates.output, PICO),
      each(usage.audioOutput, rates.audioOutput ?? rates.output, PICO),
      each(usage.requests, price.feeRequestNanoUsd ?? 0, NANO),
      each(usage.webSearches, price.feeWebSearchNanoUsd ?? 0, NANO),
    ].reduce(add, ZERO),
  );
}

/** What is wrong with the next charge; undefined where it is right. */
export function faultOfCharge(next: Next): string | undefined {
  const [price, usage] = [randomPrice(next), randomUsage(next)];
  const [got, want] = [BigInt(charge(price, usage)), oracleNano(price, usage)];
  if (got === want) return undefined;
  return `${got} and not ${want} for ${JSON.stringify({ price, usage })}`;
}
