// Overrides of the catalog from the configuration: USD per million tokens, read by their decimal
// digits. Where one names a token price, all token prices are the override's own, without tiers.

import { OperatorError } from '../../core/errors.js';
import { parseUsd } from '../../core/money.js';
import type { Price, TokenPrices } from '../../core/price.js';
import { CLASS_NAMES, type PriceRow, priceOf, type RowPrices } from './row.js';

type Usd = string | number;

/** As the configuration's `prices:` spells it. Token prices are USD a million tokens. */
export interface PriceOverride extends Partial<Record<keyof RowPrices, Usd>> {
  /** Token prices at other tiers of service. */
  service_tiers?: Record<string, Partial<Record<keyof RowPrices, Usd>>>;
  fee_request_usd?: Usd;
  fee_web_search_usd?: Usd;
  context_tokens?: number;
  output_tokens_max?: number;
  hidden_output?: boolean;
}

/** Pico-USD a token, exactly; undefined for what is no plain decimal with at most six places. */
export function parseUsdPerMillion(value: Usd): number | undefined {
  const match = /^(\d{1,9})(?:\.(\d{1,6})0*)?$/.exec(String(value).trim());
  if (match === null) return undefined;
  return Number(`${match[1]}${(match[2] ?? '').padEnd(6, '0')}`);
}

/** Price of `name` (`provider/model`) under `override`; `base` is today's row of the catalog. */
export function overriddenPrice(name: string, override: PriceOverride, base?: Price): Price {
  const slash = name.indexOf('/');
  if (slash <= 0) throw wrong(name, 'is no `provider/model`');
  const own = ownPrices(name, override);
  if (own === undefined && base === undefined) throw wrong(name, 'needs `input` and `output`');
  const row: PriceRow = {
    ...(base !== undefined && limitsOf(base)),
    ...(own ?? (base !== undefined ? pricesOf(base) : { input: 0, output: 0 })),
    ...given(name, override),
    provider: name.slice(0, slash),
    model: name.slice(slash + 1).toLowerCase(),
    source: 'config',
  };
  return priceOf(row);
}

function ownPrices(name: string, override: PriceOverride): RowPrices | undefined {
  const prices: Partial<RowPrices> = {};
  for (const key of Object.keys(CLASS_NAMES) as (keyof RowPrices)[]) {
    const value = override[key];
    if (value === undefined) continue;
    const pico = parseUsdPerMillion(value);
    if (pico === undefined) throw wrong(name, `has ${key}: ${value}`);
    prices[key] = pico;
  }
  const { input, output } = prices;
  if (Object.keys(prices).length === 0) return undefined;
  if (input === undefined || output === undefined) throw wrong(name, 'needs `input` and `output`');
  return { ...prices, input, output };
}

function given(name: string, override: PriceOverride): Partial<PriceRow> {
  const part: Partial<PriceRow> = {};
  if (override.fee_request_usd !== undefined) {
    part.fee_request_nano_usd = fee(name, override.fee_request_usd);
  }
  if (override.fee_web_search_usd !== undefined) {
    part.fee_web_search_nano_usd = fee(name, override.fee_web_search_usd);
  }
  const { context_tokens: context, output_tokens_max: output, hidden_output: hidden } = override;
  if (context !== undefined) part.context_tokens = context;
  if (output !== undefined) part.output_tokens_max = output;
  if (hidden !== undefined) part.hidden_output = hidden;
  const { service_tiers: tiers } = override;
  if (tiers !== undefined) part.service_tiers = tierPrices(name, tiers);
  return part;
}

function tierPrices(
  name: string,
  tiers: NonNullable<PriceOverride['service_tiers']>,
): Record<string, RowPrices> {
  return Object.fromEntries(
    Object.entries(tiers).map(([tier, rates]) => {
      const prices = ownPrices(`${name}, ${tier},`, rates);
      if (prices === undefined) throw wrong(name, `has no prices at ${tier}`);
      return [tier, prices];
    }),
  );
}

function fee(name: string, value: Usd): number {
  const nano = parseUsd(value);
  if (nano === undefined) throw wrong(name, `has a fee of ${value}`);
  return nano;
}

function limitsOf(base: Price): Partial<PriceRow> {
  return {
    ...(base.feeRequestNanoUsd !== undefined && { fee_request_nano_usd: base.feeRequestNanoUsd }),
    ...(base.feeWebSearchNanoUsd !== undefined && {
      fee_web_search_nano_usd: base.feeWebSearchNanoUsd,
    }),
    ...(base.contextTokens !== undefined && { context_tokens: base.contextTokens }),
    ...(base.outputTokensMax !== undefined && { output_tokens_max: base.outputTokensMax }),
    ...(base.hiddenOutput === true && { hidden_output: true }),
  };
}

function pricesOf(base: Price): RowPrices & Pick<PriceRow, 'tiers' | 'service_tiers'> {
  const spell = (from: TokenPrices): RowPrices => {
    const row: RowPrices = { input: from.input, output: from.output };
    for (const key of Object.keys(CLASS_NAMES) as (keyof RowPrices)[]) {
      const value = from[CLASS_NAMES[key]];
      if (value !== undefined) row[key] = value;
    }
    return row;
  };
  const tiers = base.tiers?.map((tier) => ({ ...spell(tier), above: tier.aboveInputTokens }));
  const services = Object.entries(base.serviceTiers ?? {}).map(([name, rates]) => [
    name,
    spell(rates),
  ]);
  return {
    ...spell(base),
    ...(tiers !== undefined && { tiers }),
    ...(services.length > 0 && { service_tiers: Object.fromEntries(services) }),
  };
}

function wrong(name: string, what: string): OperatorError {
  return new OperatorError(
    `prices: ${name} ${what}`,
    'Write `provider/model: { input: 0.15, output: 0.60 }`, in USD per million tokens, ' +
      'with at most six decimal places.',
  );
}
