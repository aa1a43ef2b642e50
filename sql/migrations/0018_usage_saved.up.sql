-- What fitting prompts to their budgets saved: in each row, and in the sums of the hours. Rows of
-- before saved nothing that anybody counted. Safe to run again.
do $$ begin
  if to_regclass('usage_hours') is null then
    raise exception 'The table "usage_hours" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0015_usage_hours.up.sql first, or: purser migrate up';
  end if;
end $$;

alter table token_usage
  add column if not exists tokens_saved bigint not null default 0 check (tokens_saved >= 0),
  add column if not exists saved_usd numeric(20,9) not null default 0 check (saved_usd >= 0);
alter table usage_hours
  add column if not exists tokens_saved numeric not null default 0,
  add column if not exists saved_usd numeric not null default 0;

-- Its argument is the sign. Keys are taken in order, so that two writers never deadlock here.
create or replace function move_usage_hours() returns trigger language plpgsql as $$
declare
  sign constant integer := tg_argv[0]::integer;
begin
  insert into usage_hours as h (hour, key, month, agent_id, agent_type, project_id, user_id, provider,
    model, kind, row_count, tokens_in, tokens_out, tokens_cached_read, tokens_cache_write,
    tokens_reasoning, cost_usd, overrun_usd, tokens_saved, saved_usd)
  select hour, md5(row(month, agent_id, agent_type, project_id, user_id, provider, model,
      kind)::text)::uuid as key, month, agent_id, agent_type, project_id, user_id, provider, model,
    kind, sign * count(*), sign * sum(tokens_in), sign * sum(tokens_out),
    sign * sum(tokens_cached_read), sign * sum(tokens_cache_write), sign * sum(tokens_reasoning),
    sign * sum(cost_usd), sign * sum(overrun_usd),
    sign * sum(tokens_saved), sign * sum(saved_usd)
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
    overrun_usd = h.overrun_usd + excluded.overrun_usd,
    tokens_saved = h.tokens_saved + excluded.tokens_saved,
    saved_usd = h.saved_usd + excluded.saved_usd;
  return null;
end $$;
