// Exchange rates, dated by day (UTC): one at a time, or many as CSV. A rate that is said again for
// the same day replaces the one before; what was spent keeps the rate that it was counted at.

import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, type AuditEntry, change } from './change.js';
import { type Page, type PageRequest, readPage } from './page.js';

export interface Rate {
  currency: string;
  /** `2026-11-21`. */
  valid_from: string;
  /** Decimal with at most nine places. */
  usd_per_unit: string;
  source?: string | null | undefined;
}

type RateRow = Record<string, unknown>;

const COLUMNS = 'currency, valid_from, usd_per_unit, source, created_at';
export const CURRENCY = /^[A-Z]{3}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
export const USD_PER_UNIT = /^(?=.*[1-9])\d{1,9}(\.\d{1,9})?$/;
const ROWS_MAX = 10_000;

/** The newest day first. */
export function listRates(
  deps: AdminDeps,
  { currency, ...request }: PageRequest & { currency?: string | undefined },
): Promise<Page<RateRow> | Refused> {
  const source = {
    from: 'exchange_rates',
    columns: COLUMNS,
    time: `(valid_from::timestamp at time zone 'UTC')`,
    id: 'currency',
    newestFirst: true,
    where: currency === undefined ? [] : ['currency = $1'],
    params: currency === undefined ? [] : [currency],
  };
  return readPage<RateRow>(deps.database, source, request);
}

export function putRates(
  deps: AdminDeps,
  actor: Actor,
  rates: readonly Rate[],
): Promise<{ data: RateRow[] } | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const data: RateRow[] = [];
    for (const rate of rates) {
      const row = await putRate(tx, audit, rate);
      if (isRefused(row)) return row;
      data.push(row);
    }
    return { data };
  });
}

async function putRate(
  tx: Queryable,
  audit: (entry: AuditEntry) => Promise<void>,
  rate: Rate,
): Promise<RateRow | Refused> {
  const { currency, valid_from: day, usd_per_unit: usd, source } = rate;
  if (currency === 'USD') {
    return refuse('invalid_value', 'A dollar is a dollar: USD has no rate.', { param: 'currency' });
  }
  const key = [currency, day];
  const [before] = await tx.query<RateRow>(
    `select ${COLUMNS} from exchange_rates where currency = $1 and valid_from = $2::date
     for update`,
    key,
  );
  const [row] = await tx.query<RateRow>(
    `insert into exchange_rates (currency, valid_from, usd_per_unit, source)
     values ($1, $2::date, $3::numeric, $4)
     on conflict (currency, valid_from) do update
     set usd_per_unit = excluded.usd_per_unit, source = excluded.source
     returning ${COLUMNS}`,
    [...key, usd, source ?? null],
  );
  const action = before ? 'update' : 'create';
  const entityId = `${currency}/${day}`;
  await audit({ action, entity: 'exchange rate', entityId, before, after: row });
  return row!;
}

/** Whether there is such a day: `2026-02-30` is none, though a parser may take it. */
export function isDay(text: string): boolean {
  const atMs = DAY.test(text) && text >= '0001' ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().slice(0, 10) === text;
}

/** `currency,valid_from,usd_per_unit` a line; a first line of names and empty lines are skipped. */
export function ratesOfCsv(csv: string): Rate[] | Refused {
  const rates: Rate[] = [];
  for (const [index, line] of csv.split(/\r?\n/).entries()) {
    const cells = line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
    if (line.trim() === '' || (index === 0 && cells[0]?.toLowerCase() === 'currency')) continue;
    const [currency = '', day = '', usd = '', source] = cells;
    const isRate = CURRENCY.test(currency) && isDay(day) && USD_PER_UNIT.test(usd);
    if (!isRate || cells.length > 4) {
      const message = `Line ${index + 1} is not like EUR,2026-11-21,1.08.`;
      return refuse('invalid_value', message, { param: 'csv' });
    }
    rates.push({ currency, valid_from: day, usd_per_unit: usd, source: source || null });
  }
  if (rates.length > 0 && rates.length <= ROWS_MAX) return rates;
  return refuse('invalid_value', `There must be 1 to ${ROWS_MAX} rates.`, { param: 'csv' });
}
