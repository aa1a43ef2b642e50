// Usage priced. One exact sum in pico-USD and one rounding, upwards, to the nano-USD: reserve,
// finalize, rebuild and reports share it, so that they can never differ by a rounding. The sum is a
// plain number while that is exact, which it nearly always is, and a BigInt beyond.

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
  let pico = 0;
  for (const item of ITEMS) {
    const quantity = usage[item];
    assert(isAmount(quantity), 'a usage holds counts only');
    // A product or sum that is no safe integer stays none, whatever is added to it.
    if (quantity > 0) pico += safe(quantity * picoUsdEach(price, rates, item));
  }
  return Number.isSafeInteger(pico) ? roundedUpSafe(pico) : bigCharge(price, rates, usage);
}

function safe(product: number): number {
  return Number.isSafeInteger(product) ? product : Number.NaN;
}

function bigCharge(price: Price, rates: TokenPrices, usage: Usage): NanoUsd {
  let pico = 0n;
  for (const item of ITEMS) pico += BigInt(usage[item]) * bigPicoEach(price, rates, item);
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
    picoUsdEach: bigPicoEach(price, rates, item),
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
    // The message of an assertion would be made for every count that is right.
    if (!isAmount(count)) assert(false, `no count to bound a charge by: ${count}`);
  }
  let input = dearestInput(price, options);
  let output = dearestOutput(price, options);
  for (const tier of price.tiers ?? []) {
    if (tier.aboveInputTokens >= inputTokensMax) continue;
    input = Math.max(input, dearestInput(tier, options));
    output = Math.max(output, dearestOutput(tier, options));
  }
  const pico =
    safe(inputTokensMax * input) +
    safe(safe(outputTokensMax * choices) * output) +
    safe((price.feeRequestNanoUsd ?? 0) * 1000) +
    safe((price.feeWebSearchNanoUsd ?? 0) * 1000 * (options.webSearches ?? 0));
  if (Number.isSafeInteger(pico)) return roundedUpSafe(pico);
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

// A fee may be beyond the safe integers in pico-USD; `safe` finds that out.
function picoUsdEach(price: Price, rates: TokenPrices, item: keyof Usage): number {
  if (item === 'requests') return (price.feeRequestNanoUsd ?? 0) * 1000;
  if (item === 'webSearches') return (price.feeWebSearchNanoUsd ?? 0) * 1000;
  return rates[item] ?? fallback(rates, item);
}

function bigPicoEach(price: Price, rates: TokenPrices, item: keyof Usage): bigint {
  if (item === 'requests') return feePico(price.feeRequestNanoUsd);
  if (item === 'webSearches') return feePico(price.feeWebSearchNanoUsd);
  return BigInt(rates[item] ?? fallback(rates, item));
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

function roundedUpSafe(pico: number): NanoUsd {
  const rest = pico % 1000;
  return (pico - rest) / 1000 + (rest > 0 ? 1 : 0);
}

function roundedUp(pico: bigint): NanoUsd {
  const nano = (pico + 999n) / 1000n;
  if (nano > BigInt(AMOUNT_MAX)) {
    throw new CodedError('invalid_value', 'the call could cost more than one counter may hold');
  }
  return Number(nano);
}
