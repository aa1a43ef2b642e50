-- The sums as they were before: see 0015.
do $$ begin
  if to_regclass('usage_hours') is not null then
    execute $body$
create or replace function move_usage_hours() returns trigger language plpgsql as $fn$
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
end $fn$
    $body$;
    alter table usage_hours drop column if exists tokens_saved, drop column if exists saved_usd;
  end if;
  if to_regclass('token_usage') is not null then
    alter table token_usage drop column if exists tokens_saved, drop column if exists saved_usd;
  end if;
end $$;
