// Keeping the record in shape: monthly partitions ahead of their time, old ones taken off whole,
// old turns and totals of minutes and hours deleted a batch at a time. A detached partition is
// a table that an operator may drop.

import type { Database } from '../../drivers/database.js';

const DAY_MS = 86_400_000;

/** Makes the partitions of this month and those after it; answers how many were missing. */
export async function makePartitions(
  database: Database,
  nowMs: number,
  months: number,
): Promise<number> {
  const [row] = await database.query<{ made: number }>(
    'select make_token_usage_partitions($1::date, $2::integer) as made',
    [new Date(nowMs).toISOString().slice(0, 10), months],
  );
  return row?.made ?? 0;
}

/** Detaches every month that ended before `beforeMs`, with its sums; answers their tables. */
export async function detachPartitions(database: Database, beforeMs: number): Promise<string[]> {
  const limit = new Date(beforeMs).toISOString().slice(0, 7).replace('-', '_');
  const partitions = await database.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'token_usage'::regclass
       and c.relname ~ '^token_usage_[0-9]{4}_[0-9]{2}$'
       and right(c.relname, 7) < $1 order by 1`,
    [limit],
  );
  for (const { name } of partitions) {
    const month = `${name.slice(-7).replace('_', '-')}-01`;
    await database.transaction(async (tx) => {
      await tx.run(`alter table token_usage detach partition ${name}`);
      await tx.query('delete from usage_hours where month = $1::date', [month]);
    });
  }
  return partitions.map(({ name }) => name);
}

/** Deletes at most `limit` turns that were written before a time; answers how many. */
export async function trimTurns(
  database: Database,
  beforeMs: number,
  limit: number,
): Promise<number> {
  const rows = await database.query(
    `delete from turns where id in (
       select id from turns where created_at < to_timestamp($1::bigint / 1000.0)
       order by created_at limit $2)
     returning 1 as one`,
    [beforeMs, limit],
  );
  return rows.length;
}

/**
 * Deletes at most `limit` totals of minutes and hours that are over and that nothing has moved
 * since a time; answers how many. By then the ledger has forgotten their counters, too: a row that
 * still comes begins both of them anew.
 */
export async function trimRateTotals(
  database: Database,
  beforeMs: number,
  limit: number,
): Promise<number> {
  // A label is the local time of some zone, at most a day away.
  const day = new Date(beforeMs - DAY_MS).toISOString().slice(0, 10);
  const rows = await database.query(
    `delete from envelope_totals where (envelope_id, label) in (
       select envelope_id, label from envelope_totals
       where position('T' in label) > 0 and left(label, 10) < $2
         and updated_at < to_timestamp($1::bigint / 1000.0)
       order by envelope_id, label limit $3 for update)
     returning 1 as one`,
    [beforeMs, day, limit],
  );
  return rows.length;
}
