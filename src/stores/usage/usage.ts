// The recorded usage as flows see it: everything but the recording itself.

import type { Database } from '../../drivers/database.js';
import { detachPartitions, makePartitions, trimRateTotals, trimTurns } from './partitions.js';
import { type RecordedRow, usageRow, usageRows } from './rows.js';
import {
  type EnvelopeTotal,
  mirrorReserved,
  raiseWatermark,
  readBudgetAgents,
  readMovedTotals,
  readSealedEpoch,
  readTotals,
  readWatermark,
  sealTotals,
  type Watermark,
} from './totals.js';

export interface UsageStore {
  /** Of minutes and hours only what moved since `rateSinceMs`. */
  totals(rateSinceMs: number): Promise<EnvelopeTotal[]>;
  /** What moved last. */
  movedTotals(sinceMs: number, limit: number): Promise<EnvelopeTotal[]>;
  watermark(): Promise<Watermark>;
  /** Never lowers it. */
  raiseWatermark(mark: Watermark): Promise<void>;
  /** The last epoch whose totals were read for a rebuild: see `Recorder.record`. */
  sealedEpoch(): Promise<number>;
  /** From here on nothing is recorded that was taken before this epoch was sealed. */
  sealTotals(epoch: number): Promise<void>;
  row(reservationId: string): Promise<RecordedRow | undefined>;
  rows(reservationId: string): Promise<RecordedRow[]>;
  budgetAgents(): Promise<string[]>;
  mirrorReserved(reserved: readonly { agentId: string; tokens: number }[]): Promise<void>;
  makePartitions(nowMs: number, months: number): Promise<number>;
  detachPartitions(beforeMs: number): Promise<string[]>;
  trimTurns(beforeMs: number, limit: number): Promise<number>;
  trimRateTotals(beforeMs: number, limit: number): Promise<number>;
}

export function createUsageStore(database: Database): UsageStore {
  return {
    totals: (rateSinceMs) => readTotals(database, rateSinceMs),
    movedTotals: (sinceMs, limit) => readMovedTotals(database, sinceMs, limit),
    watermark: () => readWatermark(database),
    raiseWatermark: (mark) => raiseWatermark(database, mark),
    sealedEpoch: () => readSealedEpoch(database),
    sealTotals: (epoch) => sealTotals(database, epoch),
    row: (reservationId) => usageRow(database, reservationId),
    rows: (reservationId) => usageRows(database, reservationId),
    budgetAgents: () => readBudgetAgents(database),
    mirrorReserved: (reserved) => mirrorReserved(database, reserved),
    makePartitions: (nowMs, months) => makePartitions(database, nowMs, months),
    detachPartitions: (beforeMs) => detachPartitions(database, beforeMs),
    trimTurns: (beforeMs, limit) => trimTurns(database, beforeMs, limit),
    trimRateTotals: (beforeMs, limit) => trimRateTotals(database, beforeMs, limit),
  };
}
