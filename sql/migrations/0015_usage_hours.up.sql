-- Sums of token_usage by the hour, for reports: moved by exactly the rows that a statement inserts,
-- changes or deletes, in its own transaction, so that they always equal the rows. Safe to run again.
do $$ begin
  if to_regclass('token_usage') is null then
    raise exception 'The table "token_usage" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

-- No foreign keys: what becomes of a row's reference becomes of its share here. `month` is that of
-- the partition, so that a month that is taken off takes its sums along. `key` stands for all
-- dimensions, because they may be null.
create table if not exists usage_hours (
  hour timestamptz not null,
  key uuid not null,
  month date not null,
  agent_id uuid,
  agent_type text,
  project_id uuid,
  user_id uuid,
  provider text,
  model text not null,
  kind text not null,
  row_count bigint not null,
  tokens_in numeric not null,
  tokens_out numeric not null,
  tokens_cached_read numeric not null,
  tokens_cache_write numeric not null,
  tokens_reasoning numeric not null,
  cost_usd numeric not null,
  overrun_usd numeric not null,
  primary key (hour, key)
) with (fillfactor = 70);

-- Its argument is the sign. Keys are taken in order, so that two writers never deadlock here.
create or replace function move_usage_hours() returns trigger language plpgsql as $$
declare
  sign constant integer := tg_argv[0]::integer;
begin
  insert into usage_hours as h
  select hour, md5(row(month, agent_id, agent_type, project_id, user_id, provider, model,
      kind)::text)::uuid as key, month, agent_id, agent_type, project_id, user_id, provider, model,
    kind, sign * count(*), sign * sum(tokens_in), sign * sum(tokens_out),
    sign * sum(tokens_cached_read), sign * sum(tokens_cache_write), sign * sum(tokens_reasoning),
    sign * sum(cost_usd), sign * sum(overrun_usd)
  from (select coalesce(date_trunc('hour', timestamp, 'UTC'), '-infinity') as hour,
    date_trunc('month', usage_date::timestamp)::date as month, r.* from moved r) r
  group by hour, month, agent_id, agent_type, project_id, user_id, provider, model, kind
  order by hour, key
  on conflict (hour, key) do update
  set row_count = h.row_count + excluded.row_count,
    tokens_in = h.tokens_in + excluded.tokens_in,
    tokens_out = h.tokens_out + excluded.tokens_out,
    tokens_cached_read = h.tokens_cached_read + excluded.tokens_cached_read,
    tokens_cache_write = h.tokens_cache_write + excluded.tokens_cache_write,
    tokens_reasoning = h.tokens_reasoning + excluded.tokens_reasoning,
    cost_usd = h.cost_usd + excluded.cost_usd,
    overrun_usd = h.overrun_usd + excluded.overrun_usd;
  return null;
end $$;

create or replace function empty_usage_hours() returns trigger language plpgsql as $$
begin
  delete from usage_hours;
  return null;
end $$;

create or replace trigger token_usage_hours_insert after insert on token_usage
  referencing new table as moved for each statement execute function move_usage_hours('1');
create or replace trigger token_usage_hours_delete after delete on token_usage
  referencing old table as moved for each statement execute function move_usage_hours('-1');
create or replace trigger token_usage_hours_update_from after update on token_usage
  referencing old table as moved for each statement execute function move_usage_hours('-1');
create or replace trigger token_usage_hours_update_to after update on token_usage
  referencing new table as moved for each statement execute function move_usage_hours('1');
create or replace trigger token_usage_hours_truncate after truncate on token_usage
  for each statement execute function empty_usage_hours();

-- The triggers' lock keeps writers out until this has seen every row that they have not.
insert into usage_hours
select hour, md5(row(month, agent_id, agent_type, project_id, user_id, provider, model,
    kind)::text)::uuid as key, month, agent_id, agent_type, project_id, user_id, provider, model,
  kind, count(*), sum(tokens_in), sum(tokens_out), sum(tokens_cached_read),
  sum(tokens_cache_write), sum(tokens_reasoning), sum(cost_usd), sum(overrun_usd)
from (select coalesce(date_trunc('hour', timestamp, 'UTC'), '-infinity') as hour,
  date_trunc('month', usage_date::timestamp)::date as month, r.* from token_usage r) r
group by hour, month, agent_id, agent_type, project_id, user_id, provider, model, kind
on conflict (hour, key) do nothing;
