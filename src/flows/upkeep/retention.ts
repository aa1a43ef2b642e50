// Partitions are made before their month begins, whole old months are taken off, and old turns are
// deleted a batch at a time, so that no delete holds locks for long.

import { assert } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { type Repeated, repeat } from './repeat.js';

export interface RetentionOptions {
  usage: UsageStore;
  clock: Clock;
  log: Log;
  everyMs: number;
  monthsAhead: number;
  /** Whole months of usage rows that stay beside the current one; null keeps all. At least 2. */
  usageMonthsKept: number | null;
  /** Null keeps all. */
  turnsKeptMs: number | null;
  turnsBatch: number;
  /** Batches in one round. */
  turnsBatchesMax: number;
}

export interface RetentionResult {
  made: number;
  detached: string[];
  trimmed: number;
}

export interface Retention extends Repeated {
  round(): Promise<RetentionResult>;
}

// A detached month no longer knows its rows: events replayed from a spool must be younger.
const MONTHS_KEPT_MIN = 2;

export function createRetention(options: RetentionOptions): Retention {
  const { clock, log, everyMs, usageMonthsKept } = options;
  assert(
    usageMonthsKept === null || usageMonthsKept >= MONTHS_KEPT_MIN,
    `at least ${MONTHS_KEPT_MIN} months of usage are kept`,
  );
  const round = () => keep(options);
  return { round, ...repeat({ clock, log, everyMs, name: 'retention' }, round) };
}

async function keep(options: RetentionOptions): Promise<RetentionResult> {
  const { usage, clock, log, usageMonthsKept, turnsKeptMs } = options;
  const nowMs = clock.nowMs();
  const made = await usage.makePartitions(nowMs, options.monthsAhead + 1);
  const detached =
    usageMonthsKept === null
      ? []
      : await usage.detachPartitions(monthsBefore(nowMs, usageMonthsKept));
  let trimmed = 0;
  for (let batch = 0; turnsKeptMs !== null && batch < options.turnsBatchesMax; batch += 1) {
    const count = await usage.trimTurns(nowMs - turnsKeptMs, options.turnsBatch);
    trimmed += count;
    if (count < options.turnsBatch) break;
  }
  const result = { made, detached, trimmed };
  if (made + detached.length + trimmed > 0) log.info({ ...result }, 'the record was kept in shape');
  return result;
}

function monthsBefore(nowMs: number, months: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1);
}
