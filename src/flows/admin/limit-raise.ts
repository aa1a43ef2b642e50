// A raise: another amount of a limit until a moment, after which the plain one is in force again
// without anybody's doing.

import type { Unit } from '../../core/amount.js';
import { type Refused, refuse } from '../../core/errors.js';
import { isAmount, parseUsd, toNumericUsd } from '../../core/money.js';
import type { Columns, EntityRow } from './entity.js';

export interface RaiseInput {
  /** In the unit of the limit: decimal USD, else a whole number; null ends the raise. */
  raise_amount?: string | number | null | undefined;
  raise_until?: Date | null | undefined;
}

const UNIT_COLUMNS = [
  ['amount_usd', 'nano_usd'],
  ['amount_tokens', 'tokens'],
  ['amount_requests', 'requests'],
  ['amount_concurrency', 'concurrency'],
] as const;

/** The raise as columns of a limit of this unit and amount; none where none is spoken of. */
export function raiseColumns(
  { raise_amount: raised, raise_until: until }: RaiseInput,
  unit: Unit,
  amount: number,
  nowMs: number,
): Columns | Refused {
  if (raised === undefined && until === undefined) return {};
  if (raised === null && until === null) return { raise_amount: null, raise_until: null };
  const wrong = (message: string, param = 'raise_amount') =>
    refuse('invalid_value', `${param}: ${message}`, { param });
  if (raised === undefined || raised === null || until === undefined || until === null) {
    return wrong('raise_amount and raise_until come together, both given or both null');
  }
  const value = unit === 'nano_usd' ? parseUsd(raised) : wholeOf(raised);
  if (value === undefined) return wrong('is no amount in the unit of this limit');
  if (value <= amount) return wrong('must be more than the limit itself');
  if (until.getTime() <= nowMs) return wrong('must be in the future', 'raise_until');
  const column = unit === 'nano_usd' ? toNumericUsd(value) : value;
  return { raise_amount: column, raise_until: until };
}

/** Unit and amount of a limit's row. */
export function amountOfRow(row: EntityRow): { unit: Unit; amount: number } {
  for (const [column, unit] of UNIT_COLUMNS) {
    const value = row[column];
    if (value === null || value === undefined) continue;
    const amount = unit === 'nano_usd' ? parseUsd(String(value)) : wholeOf(String(value));
    return { unit, amount: amount ?? 0 };
  }
  return { unit: 'nano_usd', amount: 0 };
}

/** `raise_amount` of a row as people write it: `7.500000` USD, `2000`. */
export function shownRaise(row: EntityRow): EntityRow {
  const text = row.raise_amount;
  if (typeof text !== 'string') return row;
  const shown = amountOfRow(row).unit === 'nano_usd' ? text : text.replace(/\.0*$/, '');
  return { ...row, raise_amount: shown };
}

function wholeOf(value: string | number): number | undefined {
  const whole = /^\d{1,16}$/.test(String(value)) ? Number(value) : undefined;
  return isAmount(whole) ? whole : undefined;
}
