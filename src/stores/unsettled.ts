// Calls whose usage was counted and whose provider can be asked for it. Whoever claims one has it
// for a while; three times it is asked, later each time, on whichever gateway is there.

import { parseOwnJson } from '../core/json.js';
import type { UsageEvent } from '../core/usage-event.js';
import type { Database } from '../drivers/database.js';

export interface Unsettled {
  event: UsageEvent;
  /** What its correction is booked under: the same however often it is tried. */
  adjustId: string;
  /** This one included. */
  attempts: number;
}

export interface UnsettledCalls {
  /** Those due, each for `leaseMs` nobody else's; `makeId` gives ids to those that have none. */
  claim(limit: number, leaseMs: number, makeId: () => string): Promise<Unsettled[]>;
  settled(reservationId: string): Promise<void>;
  later(reservationId: string, error: string, afterMs: number): Promise<void>;
  waiting(): Promise<number>;
}

const CLAIM = `with due as (
  select reservation_id, row_number() over (order by next_attempt_at) as n from unsettled_calls
  where reservation_id in (
    select reservation_id from unsettled_calls where next_attempt_at <= now()
    order by next_attempt_at limit $1 for update skip locked))
update unsettled_calls u
set attempts = attempts + 1, adjust_id = coalesce(adjust_id, ($3::uuid[])[due.n]),
  next_attempt_at = now() + $2::integer * interval '1 millisecond'
from due where due.reservation_id = u.reservation_id
returning u.event::text as event, u.adjust_id, u.attempts`;

export function createUnsettledCalls(database: Database): UnsettledCalls {
  return {
    async claim(limit, leaseMs, makeId) {
      const ids = Array.from({ length: limit }, makeId);
      const rows = await database.query<{ event: string; adjust_id: string; attempts: number }>(
        CLAIM,
        [limit, leaseMs, ids],
      );
      return rows.map(({ event, adjust_id: adjustId, attempts }) => ({
        ...{ event: parseOwnJson<UsageEvent>(event), adjustId, attempts },
      }));
    },
    async settled(id) {
      await database.query('delete from unsettled_calls where reservation_id = $1', [id]);
    },
    async later(id, error, afterMs) {
      await database.query(
        `update unsettled_calls set last_error = $2,
           next_attempt_at = now() + $3::integer * interval '1 millisecond'
         where reservation_id = $1`,
        [id, error.slice(0, 500), afterMs],
      );
    },
    async waiting() {
      const [row] = await database.query<{ count: number }>(
        'select count(*)::integer as count from unsettled_calls',
      );
      return Number(row?.count ?? 0);
    },
  };
}
