// The SQL of the recorder. Rows first; what they move is moved only by those really inserted.
// Every statement takes its locks in the order of a key, so that two recorders never deadlock.

import { type Column, METRIC_COLUMNS, TURN_COLUMNS, USAGE_COLUMNS } from './columns.js';

const names = (columns: readonly Column[]) => columns.map(({ name }) => name).join(', ');
const selects = (columns: readonly Column[]) =>
  columns.map((column, i) => selected(column, i + 1)).join(',\n  ');
const unnested = (columns: readonly Column[]) =>
  `unnest(${columns.map(({ type }, i) => unnestable(type, i + 1)).join(', ')})
  as e(${names(columns)})`;

// Looked up once a statement, all of its rows together.
function selected({ name, type, table, select }: Column, place: number): string {
  if (table !== undefined) {
    return `case when e.${name} in
    (select r.id from ${table} r where r.id = any ($${place}::uuid[])) then e.${name} end`;
  }
  return select ?? (type === 'jsonb' ? `e.${name}::jsonb` : `e.${name}`);
}

// Documents come as one text, with what no JSON has between them: inside an array's text each of
// their quotes would be escaped.
function unnestable(type: Column['type'], place: number): string {
  if (type === 'jsonb') return `string_to_array($${place}::text, E'\\x1f')`;
  return `$${place}::${type}[]`;
}

/** Params as `column-texts.ts` makes them. Answers the keys of rows that were not there before. */
export const INSERT_USAGE = `insert into token_usage (${names(USAGE_COLUMNS)})
select ${selects(USAGE_COLUMNS)}
from ${unnested(USAGE_COLUMNS)}
order by e.reservation_id, e.kind
on conflict (reservation_id, kind, usage_date) do nothing
returning reservation_id as id, kind`;

/**
 * Params: the columns of turns, then those of their figures. One call is one turn, whichever row
 * of it comes first; a late one tells how it really ended. The figures find their turn among those
 * just written and never by a join with the whole table, which a cached plan would read.
 */
export const INSERT_TURNS = `with e as (
  select * from ${unnested([...TURN_COLUMNS, ...METRIC_COLUMNS])}
), written as (
  insert into turns (${names(TURN_COLUMNS)})
  select ${selects(TURN_COLUMNS)}
  from e
  order by e.reservation_id
  on conflict (reservation_id) do update
  set status = excluded.status, ended_at = excluded.ended_at
  where turns.status = 'reaped'
  returning id, reservation_id
)
insert into turn_metrics (turn_id, ${names(METRIC_COLUMNS)})
select t.id, ${selects(METRIC_COLUMNS)}
from e join written t on t.reservation_id = e.reservation_id
on conflict (turn_id) do update
set model_ms = excluded.model_ms, first_byte_ms = excluded.first_byte_ms,
  estimated_input_tokens = excluded.estimated_input_tokens,
  estimated_output_tokens = excluded.estimated_output_tokens,
  held_usd = excluded.held_usd, attempts = excluded.attempts,
  finish_reason = excluded.finish_reason`;

/** Params: envelopes, labels, units, committed, overrun, adjusted, last seq. */
export const MOVE_TOTALS = `insert into envelope_totals as t
  (envelope_id, label, unit, committed, overrun, adjusted, last_seq)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
  $7::bigint[]) as e(envelope_id, label, unit, committed, overrun, adjusted, last_seq)
order by envelope_id, label
on conflict (envelope_id, label) do update
set committed = t.committed + excluded.committed, overrun = t.overrun + excluded.overrun,
  adjusted = t.adjusted + excluded.adjusted, last_seq = greatest(t.last_seq, excluded.last_seq),
  updated_at = now()`;

/** Params: agents. What is over the allocation is told beside it, so that the check holds. */
export const MIRROR_USED = `update budgets b
set used_tokens = least(m.total, b.allocated_tokens),
  overrun_tokens = m.total - least(m.total, b.allocated_tokens),
  reserved_tokens =
    least(b.reserved_tokens, b.allocated_tokens - least(m.total, b.allocated_tokens))
from (
  select b.id, greatest(t.committed, 0) as total
  from budgets b
  join envelope_totals t on t.envelope_id = 'tokens:' || b.agent_id and t.label = 'ever'
  where b.agent_id = any($1::uuid[])
  order by b.agent_id for no key update of b
) m
where b.id = m.id`;

/** Params: agents, what the ledger has reserved for each. */
export const MIRROR_RESERVED = `update budgets b
set reserved_tokens = m.reserved
from (
  select b.id, least(e.reserved, b.allocated_tokens - b.used_tokens) as reserved
  from unnest($1::uuid[], $2::bigint[]) as e(agent_id, reserved)
  join budgets b on b.agent_id = e.agent_id
  order by b.agent_id for no key update of b
) m
where b.id = m.id and b.reserved_tokens <> m.reserved`;

/** Params: tasks, tokens, nano-dollars. */
export const MOVE_TASKS = `update tasks k
set total_tokens_used = coalesce(k.total_tokens_used, 0) + m.tokens,
  total_cost_usd = coalesce(k.total_cost_usd, 0) + m.cost * 0.000000001
from (
  select t.id, e.tokens, e.cost
  from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as e(id, tokens, cost)
  join tasks t on t.id = e.id
  order by t.id for no key update of t
) m
where k.id = m.id`;

/** Params: rows of person_occasions, nano-USD, rates, amounts that are known in the currency. */
export const MOVE_PAIRS = `update person_occasions p
set budget_spent = p.budget_spent + m.spent
from (
  select o.id, sum(e.spent) as spent
  from (
    select id, coalesce(amount, round(nano * 0.000000001 / rate, 9)) as spent
    from unnest($1::uuid[], $2::bigint[], $3::numeric[], $4::numeric[])
      as e(id, nano, rate, amount)
  ) e
  join (select id from person_occasions where id = any($1::uuid[])
    order by id for no key update) o on o.id = e.id
  group by o.id
) m
where p.id = m.id`;

/**
 * Params: epoch, seq. The watermark only rises. Answers what is sealed, and holds the one row, so
 * that nothing more is sealed until this transaction has ended.
 */
export const RAISE_WATERMARK = `update ledger_watermark
set epoch = greatest(epoch, $1::bigint),
  seq = case when epoch < $1::bigint then $2::bigint
    when epoch = $1::bigint then greatest(seq, $2::bigint) else seq end,
  updated_at = now()
returning sealed_epoch`;

/** Params: epoch. Waits for the transactions that have read the seal; those after them see it. */
export const SEAL_TOTALS = `update ledger_watermark
set sealed_epoch = greatest(sealed_epoch, $1::bigint)`;
