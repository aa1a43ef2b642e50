// PGlite checks a foreign key by a query for every row and key, a quarter of what a row costs it.
// The recorder's statements have looked every key up themselves, and whoever deletes is the same
// backend and waits for the transaction: so there, and only there, they run without those checks.

import type { Database, DatabaseKind, Queryable } from '../../drivers/database.js';

// Triggers rest as well: the sums by the hour must not.
const SUMS_ALWAYS = 'alter table token_usage enable always trigger token_usage_hours_insert';

const LEAVE_CHECKS = `select set_config('session_replication_role', 'replica', true)
from pg_trigger
where tgrelid = 'token_usage'::regclass and tgname = 'token_usage_hours_insert'
  and tgenabled = 'A'`;

/** Each change of the role makes the backend plan all of its statements anew: some 4 ms. */
const ROWS_WORTH_IT = 64;

const CHECK_AGAIN = `select set_config('session_replication_role', 'origin', true)`;

/** After each start: without it the checks are made. */
export async function allowUnchecked(database: Database): Promise<void> {
  if (database.kind === 'pglite') await database.run(SUMS_ALWAYS);
}

/** Inserts into token_usage, turns or turn_metrics, in a transaction. */
export async function insert<Row>(
  tx: Queryable,
  kind: DatabaseKind,
  { text, params, count }: { text: string; params: readonly unknown[]; count: number },
): Promise<Row[]> {
  if (kind !== 'pglite' || count < ROWS_WORTH_IT) return tx.query<Row>(text, params);
  const [, rows] = await Promise.all([
    tx.query(LEAVE_CHECKS),
    tx.query<Row>(text, params),
    tx.query(CHECK_AGAIN),
  ]);
  return rows;
}
