// Tiers of service: the same model, answered sooner or later, at other rates. What a call asked for
// bounds it; what its answer reports is what it costs.

import type { Price, TokenPrices } from '../../core/price.js';

/** Rates that are nobody's own: what the catalog has as a model's price. */
const STANDARD = new Set(['default', 'standard', 'standard_only']);

export function isStandardTier(tier: string | undefined): boolean {
  return tier === undefined || tier === 'auto' || STANDARD.has(tier);
}

/** The price at a tier; the standard one where the catalog does not know the tier. */
export function priceAt(price: Price, tier: string | undefined): Price {
  const rates = isStandardTier(tier) ? undefined : price.serviceTiers?.[tier ?? ''];
  return rates ? withRates(price, rates) : price;
}

/**
 * Every price that a call may be billed at. What it asks for may not be had, and is then standard.
 * `auto` leaves it to the account; and so does saying nothing, which counts where nothing may go
 * over.
 */
export function possiblePrices(price: Price, asked: unknown, isStrict: boolean): Price[] {
  const tiers = price.serviceTiers;
  if (!tiers) return [price];
  const open = asked === 'auto' || (isStrict && (asked === undefined || asked === null));
  const named = typeof asked === 'string' ? [asked] : [];
  const names = open ? Object.keys(tiers) : named.filter((name) => Object.hasOwn(tiers, name));
  return [price, ...names.map((name) => priceAt(price, name))];
}

function withRates(price: Price, rates: TokenPrices): Price {
  const { provider, model, version, source } = price;
  const { feeRequestNanoUsd, feeWebSearchNanoUsd } = price;
  return {
    ...{ provider, model, version, source },
    ...(feeRequestNanoUsd !== undefined && { feeRequestNanoUsd }),
    ...(feeWebSearchNanoUsd !== undefined && { feeWebSearchNanoUsd }),
    ...rates,
  };
}
