// What each period came to, once it is over: first as it stands, then as it stays, and what came
// later beside it. Every statement may be run by any number of gateways at once.

import type { Unit } from '../core/amount.js';
import type { JsonObject } from '../core/json.js';
import type { Database } from '../drivers/database.js';
import { amountWithUnit } from '../rules/budget/amount-text.js';
import { enqueueNotice } from './notices.js';

export interface PeriodTotal {
  envelope: string;
  label: string;
  unit: Unit;
  committed: number;
  overrun: number;
}

/** Who is told: the project's owner, or every admin where there is none. */
export interface Whose {
  projectId: string | null;
  agentId: string | null;
}

export interface EndedPeriod extends PeriodTotal {
  scope: string;
  limit: number;
  startsAtMs: number;
  endsAtMs: number;
}

export interface BudgetPeriods {
  /** Totals of days and longer that have no row yet. */
  unclosed(limit: number): Promise<PeriodTotal[]>;
  closeProvisionally(periods: readonly EndedPeriod[]): Promise<void>;
  /** Those that are closed provisionally, with the rows' totals as they are now. */
  provisional(limit: number): Promise<(PeriodTotal & { endsAtMs: number })[]>;
  /** For good, with its notice; only the first to say so does it. */
  closeForGood(total: PeriodTotal, whose: Whose, atMs: number): Promise<boolean>;
  /** What was booked after the close is noted beside it; answers how many periods that changed. */
  noteLate(): Promise<number>;
}

// Minutes and hours are rates, and `ever` is never over.
const IS_PERIOD = `t.envelope_id like 'limit:%' and position('T' in t.label) = 0
  and t.label <> 'ever'`;

export function createBudgetPeriods(database: Database): BudgetPeriods {
  return {
    unclosed: (limit) =>
      database.query<PeriodTotal>(
        `select t.envelope_id as envelope, t.label, t.unit, t.committed, t.overrun
         from envelope_totals t
         where ${IS_PERIOD} and not exists (select 1 from budget_periods b
           where b.envelope_id = t.envelope_id and b.label = t.label)
         order by t.updated_at limit $1`,
        [limit],
      ),
    async closeProvisionally(periods) {
      for (const period of periods) await insertProvisional(database, period);
    },
    provisional: (limit) =>
      database.query(
        `select t.envelope_id as envelope, t.label, t.unit, t.committed, t.overrun,
           (extract(epoch from b.ends_at) * 1000)::bigint as "endsAtMs"
         from budget_periods b join envelope_totals t
           on t.envelope_id = b.envelope_id and t.label = b.label
         where b.state = 'provisional' order by b.ends_at limit $1`,
        [limit],
      ),
    closeForGood: (total, whose, atMs) => closeForGood(database, total, whose, atMs),
    async noteLate() {
      const rows = await database.query(
        `update budget_periods b set late_amount = t.committed - b.committed
         from envelope_totals t
         where t.envelope_id = b.envelope_id and t.label = b.label and b.state = 'final'
           and t.committed - b.committed <> b.late_amount
         returning 1 as one`,
      );
      return rows.length;
    },
  };
}

async function insertProvisional(database: Database, period: EndedPeriod): Promise<void> {
  const { envelope, label, unit, scope, limit, committed, overrun } = period;
  await database.query(
    `insert into budget_periods
       (envelope_id, label, unit, scope, limit_amount, committed, overrun, starts_at, ends_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (envelope_id, label) do nothing`,
    [
      ...[envelope, label, unit, scope, limit, committed, overrun],
      new Date(period.startsAtMs),
      new Date(period.endsAtMs),
    ],
  );
}

function closeForGood(
  database: Database,
  total: PeriodTotal,
  whose: Whose,
  atMs: number,
): Promise<boolean> {
  const { envelope, label } = total;
  return database.transaction(async (tx) => {
    const [row] = await tx.query<JsonObject>(
      `update budget_periods b
       set state = 'final', final_at = $3, committed = t.committed, overrun = t.overrun,
         adjusted = t.adjusted
       from envelope_totals t
       where b.envelope_id = $1 and b.label = $2 and b.state = 'provisional'
         and t.envelope_id = b.envelope_id and t.label = b.label and t.committed = $4
       returning b.envelope_id as envelope, b.label, b.scope, b.unit, b.limit_amount as "limit",
         b.committed as spent, b.overrun`,
      [envelope, label, new Date(atMs), total.committed],
    );
    if (!row) return false;
    const amount = (value: unknown) => amountWithUnit(total.unit, Number(value));
    const news = {
      type: 'budget.period_closed',
      key: `budget.period_closed/${envelope}/${label}`,
      title: `${String(row.scope)} has closed ${label}`,
      message: `${amount(row.spent)} of ${amount(row.limit)} were spent.`,
      severity: 'info',
      about: row,
      ...whose,
    } as const;
    await enqueueNotice(tx, news, atMs);
    return true;
  });
}
