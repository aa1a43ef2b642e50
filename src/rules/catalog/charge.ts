// Usage priced. One BigInt sum in pico-USD and one rounding, upwards, to the nano-USD: reserve,
// finalize, rebuild and reports share it, so that they can never differ by a rounding.

import { assert } from '../../core/assert.js';
import { CodedError } from '../../core/errors.js';
import { AMOUNT_MAX, isAmount, type NanoUsd } from '../../core/money.js';
import type { Price, TokenPrices } from '../../core/price.js';
import { inputTokens, NO_USAGE, type Usage } from '../../core/usage.js';

/** One summand of a charge. */
export interface ChargeItem {
  item: keyof Usage;
  quantity: number;
  /** Pico-USD for each token, request or search. */
  picoUsdEach: bigint;
}

const ITEMS = Object.keys(NO_USAGE) as (keyof Usage)[];

/** What `usage` costs, in nano-USD. Throws `invalid_value` where it is more than 2^53-1. */
export function charge(price: Price, usage: Usage): NanoUsd {
  const rates = ratesAt(price, inputTokens(usage));
  let pico = 0n;
  for (const item of ITEMS) {
    const quantity = usage[item];
    assert(isAmount(quantity), 'a usage holds counts only');
    if (quantity > 0) pico += BigInt(quantity) * BigInt(picoUsdEach(price, rates, item));
  }
  return roundedUp(pico);
}

/**
 * What `tokens` of plain input more would have cost a call of this usage, in nano-USD, rounded
 * down: neither a cached prefix nor a dearer tier is assumed.
 */
export function inputCharge(price: Price, usage: Usage, tokens: number): NanoUsd {
  assert(isAmount(tokens), `no count of tokens: ${tokens}`);
  const nano = (BigInt(tokens) * BigInt(ratesAt(price, inputTokens(usage)).input)) / 1000n;
  return nano > BigInt(AMOUNT_MAX) ? AMOUNT_MAX : Number(nano);
}

/** The summands of a charge: every class of tokens or fees of which there are any. */
export function chargeItems(price: Price, usage: Usage): ChargeItem[] {
  const rates = ratesAt(price, inputTokens(usage));
  return ITEMS.filter((item) => usage[item] > 0).map((item) => ({
    item,
    quantity: usage[item],
    picoUsdEach: BigInt(picoUsdEach(price, rates, item)),
  }));
}

/** What a call may turn out to be billed for, beside its text. */
export interface BoundOptions {
  /** The prompt may be written to a cache, which costs more than reading it plainly. */
  cacheWrites?: boolean;
  audio?: boolean;
  images?: boolean;
  /** Searches that the provider may make and bill. */
  webSearches?: number;
}

/**
 * The dearest that a call can cost whose prompt is at most `inputTokensMax` and which gives at
 * most `choices` answers of `outputTokensMax` each. No charge within these bounds is above it.
 */
export function chargeBound(
  price: Price,
  inputTokensMax: number,
  outputTokensMax: number,
  choices = 1,
  options: BoundOptions = {},
): NanoUsd {
  for (const count of [inputTokensMax, outputTokensMax, choices]) {
    assert(isAmount(count), `no count to bound a charge by: ${count}`);
  }
  let [input, output] = [0, 0];
  const reachable = (price.tiers ?? []).filter((tier) => tier.aboveInputTokens < inputTokensMax);
  for (const rates of [price, ...reachable]) {
    input = Math.max(input, dearestInput(rates, options));
    output = Math.max(output, dearestOutput(rates, options));
  }
  const tokens =
    BigInt(inputTokensMax) * BigInt(input) +
    BigInt(outputTokensMax) * BigInt(choices) * BigInt(output);
  const fees =
    feePico(price.feeRequestNanoUsd) +
    feePico(price.feeWebSearchNanoUsd) * BigInt(options.webSearches ?? 0);
  return roundedUp(tokens + fees);
}

/** The rates of the tier that `input` tokens fall into: one tier holds for the whole call. */
export function ratesAt(price: Price, input: number): TokenPrices {
  let rates: TokenPrices = price;
  for (const tier of price.tiers ?? []) if (input > tier.aboveInputTokens) rates = tier;
  return rates;
}

function picoUsdEach(price: Price, rates: TokenPrices, item: keyof Usage): number | bigint {
  if (item === 'requests') return feePico(price.feeRequestNanoUsd);
  if (item === 'webSearches') return feePico(price.feeWebSearchNanoUsd);
  return rates[item] ?? fallback(rates, item);
}

function feePico(nano = 0): bigint {
  return BigInt(nano) * 1000n;
}

function fallback(rates: TokenPrices, item: keyof TokenPrices): number {
  if (item === 'cacheWrite1h') return rates.cacheWrite5m ?? rates.input;
  return item === 'reasoning' || item === 'audioOutput' ? rates.output : rates.input;
}

function dearestInput(rates: TokenPrices, options: BoundOptions): number {
  const { cacheWrite5m = 0, cacheWrite1h = 0, audioInput = 0, imageInput = 0 } = rates;
  const writes = options.cacheWrites === true ? Math.max(cacheWrite5m, cacheWrite1h) : 0;
  const audio = options.audio === true ? audioInput : 0;
  const images = options.images === true ? imageInput : 0;
  return Math.max(rates.input, rates.cachedRead ?? 0, writes, audio, images);
}

function dearestOutput(rates: TokenPrices, options: BoundOptions): number {
  const audio = options.audio === true ? (rates.audioOutput ?? 0) : 0;
  return Math.max(rates.output, rates.reasoning ?? 0, audio);
}

function roundedUp(pico: bigint): NanoUsd {
  const nano = (pico + 999n) / 1000n;
  if (nano > BigInt(AMOUNT_MAX)) {
    throw new CodedError('invalid_value', 'the call could cost more than one counter may hold');
  }
  return Number(nano);
}
