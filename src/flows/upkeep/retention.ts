// Partitions are made before their month begins, whole old months are taken off, and old turns and
// totals of minutes and hours are deleted a batch at a time, so that no delete holds locks long.

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
  /** Of minutes and hours, longer than the ledger keeps their counters; days and longer stay. */
  rateTotalsKeptMs: number;
  /** Turns or totals that one statement deletes. */
  batchMax: number;
  /** Batches of each in one round. */
  batchesMax: number;
}

export interface RetentionResult {
  made: number;
  detached: string[];
  /** Turns. */
  trimmed: number;
  rateTotals: number;
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
  const trimmed =
    turnsKeptMs === null
      ? 0
      : await inBatches(options, (limit) => usage.trimTurns(nowMs - turnsKeptMs, limit));
  const rateTotals = await inBatches(options, (limit) =>
    usage.trimRateTotals(nowMs - options.rateTotalsKeptMs, limit),
  );
  const result = { made, detached, trimmed, rateTotals };
  const changes = made + detached.length + trimmed + rateTotals;
  if (changes > 0) log.info({ ...result }, 'the record was kept in shape');
  return result;
}

async function inBatches(
  { batchMax, batchesMax }: RetentionOptions,
  trim: (limit: number) => Promise<number>,
): Promise<number> {
  let trimmed = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const count = await trim(batchMax);
    trimmed += count;
    if (count < batchMax) break;
  }
  return trimmed;
}

function monthsBefore(nowMs: number, months: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1);
}
