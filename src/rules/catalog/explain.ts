// A charge told in lines, for `purser price explain`: each class with its count, its rate and its
// exact part, then the total as it is booked.

import { formatUsd, type NanoUsd } from '../../core/money.js';
import type { Price } from '../../core/price.js';
import { inputTokens, type Usage } from '../../core/usage.js';
import { charge, chargeItems } from './charge.js';

export interface ExplainedCharge {
  /** `provider/model`, the price's version and where it came from. */
  price: { name: string; version: string; source: string };
  /** The input size above which these rates hold; null: the base rates. */
  tierAboveInputTokens: number | null;
  lines: readonly ExplainedLine[];
  totalNanoUsd: NanoUsd;
  totalUsd: string;
}

export interface ExplainedLine {
  item: keyof Usage;
  quantity: number;
  /** USD a million tokens, or USD for each request or search. */
  rateUsd: string;
  per: 'million tokens' | 'each';
  /** Exact, to the pico-USD. */
  usd: string;
}

export function explainCharge(price: Price, usage: Usage): ExplainedCharge {
  const input = inputTokens(usage);
  const tier = price.tiers?.filter((part) => input > part.aboveInputTokens).at(-1);
  const totalNanoUsd = charge(price, usage);
  const lines = chargeItems(price, usage).map(({ item, quantity, picoUsdEach }): ExplainedLine => {
    const fee = item === 'requests' || item === 'webSearches';
    return {
      item,
      quantity,
      rateUsd: fee ? exactUsd(picoUsdEach) : exactUsd(picoUsdEach * 1_000_000n),
      per: fee ? 'each' : 'million tokens',
      usd: exactUsd(BigInt(quantity) * picoUsdEach),
    };
  });
  const { provider, model, version, source } = price;
  return {
    price: { name: `${provider}/${model}`, version, source },
    tierAboveInputTokens: tier?.aboveInputTokens ?? null,
    lines,
    totalNanoUsd,
    totalUsd: formatUsd(totalNanoUsd),
  };
}

/** Decimal USD of pico-USD, without trailing zeros beyond the cent. */
function exactUsd(pico: bigint): string {
  const digits = pico.toString().padStart(13, '0');
  return `${digits.slice(0, -12)}.${digits.slice(-12).replace(/0{1,10}$/, '')}`;
}
