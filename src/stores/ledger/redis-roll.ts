// Beside its seq Redis keeps that of each gateway's own last mutation, by which it finds out that
// Redis was rolled back. A gateway that lives tells so now and then, one that stops takes its own
// away, and those of which nothing was heard for a day are let go of by the others. One that comes
// back after a day finds the ledger lost, which is rebuilt: too much, but never too little.

import type { Clock } from '../../core/clock.js';
import type { LedgerKeys } from './keys.js';
import { LedgerUnavailable } from './ledger.js';
import type { RedisWire } from './redis-wire.js';

const EVERY_MS = 600_000;
const KEPT_MS = 86_400_000;

export interface Roll {
  /** Tells that this gateway lives, where it is time to. */
  here(): Promise<void>;
  gone(): Promise<void>;
}

export function createRoll(wire: RedisWire, keys: LedgerKeys, clock: Clock): Roll {
  const names = [keys.state, keys.roll];
  let dueMs = Number.NEGATIVE_INFINITY;
  return {
    async here() {
      const nowMs = clock.elapsedMs();
      if (nowMs < dueMs) return;
      const { answer } = await wire.send('roll', names, ['here', `${KEPT_MS}`]);
      if (answer === 'DONE') dueMs = nowMs + EVERY_MS;
    },
    async gone() {
      try {
        await wire.send('roll', names, ['gone', `${KEPT_MS}`]);
      } catch (error) {
        // With Redis away the others let go of it a day later.
        if (!(error instanceof LedgerUnavailable)) throw error;
      }
    },
  };
}
