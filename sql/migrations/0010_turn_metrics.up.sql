-- How a turn went, in figures. `turn_id` is a bigint, as `turns.id` is. Safe to run again.
do $$ begin
  if to_regclass('turns') is null then
    raise exception 'The table "turns" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

create table if not exists turn_metrics (
  turn_id bigint primary key references turns(id) on delete cascade,
  tokens_before bigint check (tokens_before >= 0),
  tokens_after bigint check (tokens_after >= 0),
  trims_count integer not null default 0 check (trims_count >= 0),
  top_keys jsonb not null default '[]',
  rejects integer not null default 0 check (rejects >= 0),
  model_ms integer check (model_ms >= 0),
  first_byte_ms integer check (first_byte_ms >= 0),
  estimated_input_tokens bigint check (estimated_input_tokens >= 0),
  estimated_output_tokens bigint check (estimated_output_tokens >= 0),
  held_usd numeric(20,9) check (held_usd >= 0),
  attempts integer not null default 1 check (attempts >= 0),
  finish_reason text,
  created_at timestamptz not null default now()
);
create index if not exists idx_turn_metrics_created on turn_metrics(created_at);
