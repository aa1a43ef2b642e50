// What a person may spend on an occasion, as an envelope in USD: the amount in its own currency
// times the rate in force, rounded down. Rates are dated, so limit and version of days to come are
// known today; a later rate has a higher version, and so has every change of the row.

import type { PairRow, RateRow } from '../../core/directory.js';
import type { Envelope, LaterSetting } from '../../core/envelope.js';
import { AMOUNT_MAX } from '../../core/money.js';
import { UTC_CALENDAR } from '../../core/period.js';

export function pairKey(person: string, occasion: string): string {
  return `${person}\n${occasion}`;
}

const envelopes = new WeakMap<PairRow, Envelope>();

export function pairEnvelope(row: PairRow): Envelope {
  const known = envelopes.get(row);
  if (known) return known;
  const { id, scope, amount, currency, version, rates } = row;
  const first = version * DAYS;
  const later = rates.map(
    (rate): LaterSetting => ({
      fromMs: rate.fromMs,
      limit: amount === null ? null : limitNanoUsd(amount, rate.usdPerUnit),
      version: first + dayOf(rate),
    }),
  );
  const envelope: Envelope = {
    id: `pair:${id}`,
    scope,
    unit: 'nano_usd',
    period: 'ever',
    calendar: UTC_CALENDAR,
    // Before the first rate nobody knows what the amount is worth.
    limit: amount === null ? null : 0,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version: first,
    thresholds: [0.8],
    later,
    currency: { code: currency, rates },
  };
  envelopes.set(row, envelope);
  return envelope;
}

/** More than there are days until the year 2300: a version has room for the day of its rate. */
const DAYS = 131_072;
const DAY_MS = 86_400_000;

function dayOf({ fromMs }: RateRow): number {
  return Math.min(DAYS - 1, Math.max(0, Math.floor(fromMs / DAY_MS)));
}

const PLACES = 9;
const ONE = 10n ** BigInt(PLACES);

/** floor(amount x rate) in nano-USD, at most what a counter can hold. */
export function limitNanoUsd(amount: string, usdPerUnit: string): number {
  const nano = (scaled(amount) * scaled(usdPerUnit)) / ONE;
  return nano > BigInt(AMOUNT_MAX) ? AMOUNT_MAX : Number(nano);
}

/** Whether the product fits in a counter. */
export function fitsCounter(amount: string, usdPerUnit: string): boolean {
  return (scaled(amount) * scaled(usdPerUnit)) / ONE <= BigInt(AMOUNT_MAX);
}

function scaled(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole) * ONE + BigInt(fraction.slice(0, PLACES).padEnd(PLACES, '0'));
}

/** The rate in force at a moment; undefined before the first. */
export function rateAt(rates: readonly { fromMs: number; usdPerUnit: string }[], atMs: number) {
  let found: string | undefined;
  for (const { fromMs, usdPerUnit } of rates) if (fromMs <= atMs) found = usdPerUnit;
  return found;
}
