// How much more output fits where the ledger said no: the least room among the envelopes that had
// none, in tokens.

import type { Unit } from '../../core/amount.js';

export interface NoRoomFor {
  unit: Unit;
  limit: number;
  committed: number;
  reserved: number;
}

/** `tokensFor` answers how many tokens some nano-USD pay for at the least. */
export function fittingTokens(
  shortages: readonly NoRoomFor[],
  tokensFor: (nanoUsd: number) => number,
): number {
  let least = Number.MAX_SAFE_INTEGER;
  for (const { unit, limit, committed, reserved } of shortages) {
    const room = Math.max(0, limit - committed - reserved);
    if (unit === 'nano_usd') least = Math.min(least, tokensFor(room));
    else if (unit === 'tokens') least = Math.min(least, room);
    else return 0;
  }
  return shortages.length === 0 ? 0 : least;
}
