// Keeping the record in shape: monthly partitions ahead of their time, old ones taken off whole,
// old turns deleted a batch at a time. A detached partition is a table that an operator may drop.

import type { Database } from '../../drivers/database.js';

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
