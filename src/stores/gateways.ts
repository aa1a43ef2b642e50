// Which gateways live, as SQL sees them: a rebuild of the ledger waits for those seen lately.

import type { Database } from '../drivers/database.js';

export interface Gateways {
  /** Tells that this one lives, and how far it has come with a rebuild: two steps an epoch. */
  seen(id: string, host: string, step: number): Promise<void>;
  /** Ids of those seen within the time that have not yet come so far. */
  missing(step: number, withinMs: number): Promise<string[]>;
  /** How far the furthest has come. */
  furthest(): Promise<number>;
  gone(id: string): Promise<void>;
  /** Runs `body` if no other gateway does so now; false if one does. */
  exclusively(body: () => Promise<void>): Promise<boolean>;
}

// "purser" in ASCII, cut to what fits beside the migrations' own number.
const REBUILD_LOCK = 0x7075_7201;

export function createGateways(database: Database): Gateways {
  return {
    async seen(id, host, step) {
      await database.query(
        `insert into gateways (id, host, epoch) values ($1, $2, $3)
         on conflict (id) do update set seen_at = now(), epoch = excluded.epoch`,
        [id, host, step],
      );
      await database.query(`delete from gateways where seen_at < now() - interval '1 day'`);
    },
    async missing(step, withinMs) {
      const rows = await database.query<{ id: string }>(
        `select id from gateways
         where epoch < $1 and seen_at > now() - $2::bigint * interval '1 millisecond'`,
        [step, withinMs],
      );
      return rows.map(({ id }) => id);
    },
    async furthest() {
      const [row] = await database.query<{ step: number }>(
        'select coalesce(max(epoch), 0)::bigint as step from gateways',
      );
      return row?.step ?? 0;
    },
    async gone(id) {
      await database.query('delete from gateways where id = $1', [id]);
    },
    async exclusively(body) {
      // One process has PGlite to itself, and its one connection is what `body` needs.
      if (database.kind === 'pglite') {
        await body();
        return true;
      }
      return database.session(async (session) => {
        const [row] = await session.query<{ got: boolean }>(
          'select pg_try_advisory_lock($1) as got',
          [REBUILD_LOCK],
        );
        if (!row?.got) return false;
        try {
          await body();
        } finally {
          await session.query('select pg_advisory_unlock($1)', [REBUILD_LOCK]);
        }
        return true;
      });
    },
  };
}
