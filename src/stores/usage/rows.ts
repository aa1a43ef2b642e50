// Reading back what was recorded of one reservation.

import { uuidV7TimeMs } from '../../core/id.js';
import type { BookedLine } from '../../core/line.js';
import type { UsageSource } from '../../core/usage.js';
import type { EventKind, Outcome } from '../../core/usage-event.js';
import type { Queryable } from '../../drivers/database.js';

export interface RecordedRow {
  kind: EventKind;
  outcome: Outcome;
  usageSource: UsageSource;
  lines: BookedLine[];
  tokensIn: number;
  tokensOut: number;
  costNanoUsd: number;
}

/** The base row first; none: nothing of this reservation has been recorded. */
export async function usageRows(
  database: Queryable,
  reservationId: string,
): Promise<RecordedRow[]> {
  const atMs = uuidV7TimeMs(reservationId);
  if (atMs === undefined) return [];
  return database.query<RecordedRow>(
    `select kind, outcome, usage_source as "usageSource", lines, tokens_in as "tokensIn",
       tokens_out as "tokensOut", (cost_usd * 1000000000)::bigint as "costNanoUsd"
     from token_usage where reservation_id = $1 and usage_date = $2::date
     order by kind <> 'base', kind`,
    [reservationId, new Date(atMs).toISOString().slice(0, 10)],
  );
}

/** What its call was booked as; undefined where nothing is recorded of it. */
export async function usageRow(
  database: Queryable,
  reservationId: string,
): Promise<RecordedRow | undefined> {
  const [row] = await usageRows(database, reservationId);
  return row?.kind === 'base' ? row : undefined;
}
