// The books must balance: after every story, what the rows say, what the totals say and what the
// ledger says is the same, to the unit, and no call was recorded twice.

import assert from 'node:assert/strict';
import type { Unit } from '#src/core/amount.js';
import type { Database } from '#src/drivers/database.js';
import type { Ledger } from '#src/stores/ledger/ledger.js';

type Booked = { envelope: string; label: string; unit: Unit; committed: number; overrun: number };

/** Without a ledger: rows against totals only. The drain must be idle. */
export async function assertBooksBalance(database: Database, ledger?: Ledger): Promise<void> {
  const rows = await database.query<Booked>(
    `select l->>'e' as envelope, l->>'l' as label, l->>'u' as unit,
       sum((l->>'a')::bigint)::bigint as committed, sum((l->>'o')::bigint)::bigint as overrun
     from token_usage, jsonb_array_elements(lines) as l group by 1, 2, 3 order by 1, 2`,
  );
  const totals = await database.query<Booked>(
    `select envelope_id as envelope, label, unit, committed, overrun
     from envelope_totals order by 1, 2`,
  );
  assert.deepEqual(byKey(totals), byKey(rows), 'the totals are the sums of the lines of all rows');
  const twice = await database.query(
    'select reservation_id, kind from token_usage group by 1, 2 having count(*) > 1',
  );
  assert.deepEqual([...twice], [], 'no row is there twice');
  const turns = await database.query(
    `select reservation_id from token_usage where kind in ('base', 'late')
     except select reservation_id from turns`,
  );
  assert.deepEqual([...turns], [], 'every call has its turn');
  const budgets = await database.query(
    `select b.agent_id from budgets b
     left join envelope_totals t on t.envelope_id = 'tokens:' || b.agent_id and t.label = 'ever'
     where b.used_tokens + b.overrun_tokens <> greatest(coalesce(t.committed, 0), 0)`,
  );
  assert.deepEqual([...budgets], [], 'every token budget mirrors its total');
  if (!ledger) return;
  const balances = await ledger.balances(rows);
  const committed = balances.map(({ envelope, label, unit, committed, overrun }) => ({
    ...{ envelope, label, unit, committed, overrun },
  }));
  assert.deepEqual(byKey(committed), byKey(rows), 'the ledger has what the rows have');
}

function byKey(booked: readonly Booked[]): Record<string, [number, number]> {
  return Object.fromEntries(
    booked.map((b) => [`${b.envelope} ${b.label} ${b.unit}`, [b.committed, b.overrun]]),
  );
}
