-- What must be true of a database that is migrated to the newest version: one row per check.
with wanted_columns (table_name, column_name, data_type) as (values
  ('slots', 'must_keep', 'boolean'),
  ('slots', 'min_chars', 'integer'),
  ('prompt_snapshots', 'budget_report', 'jsonb'),
  ('prompt_snapshots', 'turn_id', 'bigint'),
  ('prompt_snapshots', 'reservation_id', 'uuid'),
  ('turn_metrics', 'turn_id', 'bigint'),
  ('turns', 'id', 'bigint'),
  ('person_occasions', 'budget_amount', 'numeric'),
  ('person_occasions', 'budget_spent', 'numeric'),
  ('person_occasions', 'budget_currency', 'character varying'),
  ('person_occasions', 'budget_notes', 'text')
)
select format('column %s.%s is %s', w.table_name, w.column_name, w.data_type) as check,
  c.data_type is not distinct from w.data_type as passed,
  format('It is %s. Run: purser migrate up', coalesce(c.data_type, 'missing')) as remedy
from wanted_columns w
left join information_schema.columns c on c.table_schema = current_schema()
  and c.table_name = w.table_name and c.column_name = w.column_name
union all
select 'no token budget is used beyond its allocation',
  not exists (select from budgets where used_tokens + reserved_tokens > allocated_tokens),
  'A constraint was taken away: compare the schema with sql/schema.sql.'
union all
select 'config_version and ledger_watermark have one row each',
  (select count(*) from config_version) = 1 and (select count(*) from ledger_watermark) = 1,
  'Restore the row: insert into config_version default values, the same for ledger_watermark.'
union all
select 'every constraint is validated',
  not exists (select from pg_constraint where connamespace = current_schema()::regnamespace
    and not convalidated),
  'See which: select conname from pg_constraint where not convalidated; then validate it.'
