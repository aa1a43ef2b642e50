// One row of config/prices.json, and its `Price`. The version is a hash of everything that bears
// on the charge, so that a usage row names what it was priced by even after the file changed.

import { createHash } from 'node:crypto';
import { OperatorError } from '../../core/errors.js';
import { isAmount } from '../../core/money.js';
import type { Price, TokenPrices } from '../../core/price.js';

/** Pico-USD a token, as the file spells the classes. */
export interface RowPrices {
  input: number;
  cached_read?: number;
  cache_write_5m?: number;
  cache_write_1h?: number;
  output: number;
  reasoning?: number;
  audio_input?: number;
  audio_output?: number;
  image_input?: number;
}

export interface PriceRow extends RowPrices {
  provider: string;
  model: string;
  /** Further exact names, and prefixes of names; all lower case. */
  names?: readonly string[];
  prefixes?: readonly string[];
  /** The first UTC day of this price, `2025-06-10`; absent: since ever. */
  from?: string;
  /** Prices once the whole input is over `above` tokens. */
  tiers?: readonly (RowPrices & { above: number })[];
  /** Prices at other tiers of service: `flex`, `priority`, `batch`. */
  service_tiers?: Readonly<Record<string, RowPrices>>;
  fee_request_nano_usd?: number;
  fee_web_search_nano_usd?: number;
  context_tokens?: number;
  output_tokens_max?: number;
  hidden_output?: boolean;
  source: string;
}

/** The whole of config/prices.json. */
export interface PriceFile {
  rows: readonly PriceRow[];
  /** Providers that sell others' models at the makers' prices: where to look next. */
  fallbacks: Readonly<Record<string, readonly string[]>>;
}

export const CLASS_NAMES = {
  input: 'input',
  cached_read: 'cachedRead',
  cache_write_5m: 'cacheWrite5m',
  cache_write_1h: 'cacheWrite1h',
  output: 'output',
  reasoning: 'reasoning',
  audio_input: 'audioInput',
  audio_output: 'audioOutput',
  image_input: 'imageInput',
} as const satisfies Record<keyof RowPrices, keyof TokenPrices>;

export function priceOf(row: PriceRow): Price {
  const where = `${row.provider}/${row.model}`;
  const price: Omit<Price, 'version'> = {
    provider: row.provider,
    model: row.model,
    ...tokenPrices(row, where),
    source: row.source,
  };
  if (row.tiers !== undefined && row.tiers.length > 0) {
    const tiers = row.tiers.map((tier) => ({
      ...tokenPrices(tier, where),
      aboveInputTokens: checked(tier.above, where, 'above'),
    }));
    price.tiers = tiers.sort((left, right) => left.aboveInputTokens - right.aboveInputTokens);
  }
  if (row.service_tiers !== undefined) {
    price.serviceTiers = Object.fromEntries(
      Object.entries(row.service_tiers).map(([name, rates]) => [name, tokenPrices(rates, where)]),
    );
  }
  const { fee_request_nano_usd: request, fee_web_search_nano_usd: search } = row;
  if (request !== undefined) price.feeRequestNanoUsd = checked(request, where, 'fee_request');
  if (search !== undefined) price.feeWebSearchNanoUsd = checked(search, where, 'fee_web_search');
  const { context_tokens: context, output_tokens_max: output } = row;
  if (context !== undefined) price.contextTokens = checked(context, where, 'context_tokens');
  if (output !== undefined) price.outputTokensMax = checked(output, where, 'output_tokens_max');
  if (row.hidden_output === true) price.hiddenOutput = true;
  return { ...price, version: versionOf(price) };
}

function tokenPrices(row: RowPrices, where: string): TokenPrices {
  const prices: Partial<TokenPrices> = {};
  for (const [key, name] of Object.entries(CLASS_NAMES) as [keyof RowPrices, keyof TokenPrices][]) {
    const value = row[key];
    if (value !== undefined) prices[name] = checked(value, where, key);
  }
  const { input, output } = prices;
  if (input === undefined || output === undefined) {
    throw new OperatorError(`the price of ${where} lacks input or output`, 'Give it both.');
  }
  return { ...prices, input, output };
}

function checked(value: number, where: string, key: string): number {
  if (isAmount(value)) return value;
  throw new OperatorError(
    `the price of ${where} has ${key}: ${value}, which is no whole number from 0 to 2^53-1`,
    'Run `npm run prices`, or correct config/prices.json.',
  );
}

function versionOf(price: Omit<Price, 'version'>): string {
  const { source: _, ...content } = price;
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
}
