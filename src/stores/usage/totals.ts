// What the rows of each envelope and label come to, and how far they go: what the ledger is
// rebuilt from.

import type { Unit } from '../../core/amount.js';
import type { Queryable } from '../../drivers/database.js';
import { MIRROR_RESERVED, RAISE_WATERMARK, SEAL_TOTALS } from './statements.js';

export interface EnvelopeTotal {
  envelope: string;
  label: string;
  unit: Unit;
  committed: number;
  overrun: number;
  adjusted: number;
}

export interface Watermark {
  epoch: number;
  seq: number;
}

/**
 * Every total that a call may still meet: all but those of minutes and hours that nothing has
 * moved since `rateSinceMs`.
 */
export function readTotals(database: Queryable, rateSinceMs: number): Promise<EnvelopeTotal[]> {
  return database.query<EnvelopeTotal>(
    `select envelope_id as envelope, label, unit, committed, overrun, adjusted
     from envelope_totals
     where position('T' in label) = 0 or updated_at >= to_timestamp($1::bigint / 1000.0)
     order by envelope_id, label`,
    [rateSinceMs],
  );
}

/** Those that have been moved since a time: what is worth comparing. */
export function readMovedTotals(
  database: Queryable,
  sinceMs: number,
  limit: number,
): Promise<EnvelopeTotal[]> {
  return database.query<EnvelopeTotal>(
    `select envelope_id as envelope, label, unit, committed, overrun, adjusted
     from envelope_totals where updated_at >= to_timestamp($1::bigint / 1000.0)
     order by updated_at desc limit $2`,
    [sinceMs, limit],
  );
}

export async function readWatermark(database: Queryable): Promise<Watermark> {
  const [row] = await database.query<Watermark>('select epoch, seq from ledger_watermark');
  return row ?? { epoch: 0, seq: 0 };
}

/** An epoch that has begun is never begun again, also if nothing is recorded in it. */
export async function raiseWatermark(database: Queryable, mark: Watermark): Promise<void> {
  await database.query(RAISE_WATERMARK, [mark.epoch, mark.seq]);
}

/** The last epoch whose totals were read to rebuild the ledger; 0: none. */
export async function readSealedEpoch(database: Queryable): Promise<number> {
  const [row] = await database.query<{ sealed: number }>(
    'select sealed_epoch as sealed from ledger_watermark',
  );
  return row?.sealed ?? 0;
}

/** Before the totals are read: what was taken earlier is not recorded later. */
export async function sealTotals(database: Queryable, epoch: number): Promise<void> {
  await database.query(SEAL_TOTALS, [epoch]);
}

/** The agents that have a token budget. */
export async function readBudgetAgents(database: Queryable): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    'select agent_id as id from budgets order by agent_id',
  );
  return rows.map(({ id }) => id);
}

export async function mirrorReserved(
  database: Queryable,
  reserved: readonly { agentId: string; tokens: number }[],
): Promise<void> {
  await database.query(MIRROR_RESERVED, [
    reserved.map(({ agentId }) => agentId),
    reserved.map(({ tokens }) => tokens),
  ]);
}
