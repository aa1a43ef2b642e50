// Amounts and instants as people and headers read them.

import type { Unit } from '../../core/amount.js';
import { formatUsd } from '../../core/money.js';

/** `usd` where the ledger counts nano-USD. */
export function unitName(unit: Unit): string {
  return unit === 'nano_usd' ? 'usd' : unit;
}

/** `1.204310` for money, the plain number for everything else. */
export function amountText(unit: Unit, amount: number): string {
  return unit === 'nano_usd' ? formatUsd(amount) : String(amount);
}

const NOUNS: Record<Unit, string> = {
  nano_usd: 'USD',
  tokens: 'tokens',
  requests: 'requests',
  concurrency: 'calls at once',
};

export function amountWithUnit(unit: Unit, amount: number): string {
  return `${amountText(unit, amount)} ${NOUNS[unit]}`;
}

/** RFC 3339 in UTC, to the second: periods end on whole ones. */
export function instantText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
