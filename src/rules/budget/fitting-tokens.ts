// How much more output fits where the ledger said no: the least room among the envelopes that had
// none, in tokens.

import type { Unit } from '../../core/amount.js';

export interface NoRoomFor {
  unit: Unit;
  limit: number;
  committed: number;
  reserved: number;
}

/** `tokensFor` answers how many tokens more there can be if a unit has so much room. */
export function fittingTokens(
  shortages: readonly NoRoomFor[],
  tokensFor: Readonly<Record<'nano_usd' | 'tokens', (room: number) => number>>,
): number {
  let least = Number.MAX_SAFE_INTEGER;
  for (const { unit, limit, committed, reserved } of shortages) {
    if (unit !== 'nano_usd' && unit !== 'tokens') return 0;
    const room = Math.max(0, limit - committed - reserved);
    least = Math.min(least, tokensFor[unit](room));
  }
  return shortages.length === 0 ? 0 : least;
}
