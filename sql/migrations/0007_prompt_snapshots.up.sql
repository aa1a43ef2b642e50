-- What prompt a call was sent with: always its hash, its text only where that is asked for.
-- `turn_id` holds the reservation's id here; 0011_prompt_snapshots_turn_id mends that.
-- Safe to run again.
do $$ begin
  if to_regclass('templates') is null then
    raise exception 'The table "templates" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0006_slots_templates.up.sql first, or: purser migrate up';
  end if;
end $$;

create table if not exists prompt_snapshots (
  id uuid primary key default gen_random_uuid(),
  turn_id uuid,
  agent_id uuid references agents(id) on delete set null,
  template_id uuid references templates(id) on delete set null,
  prompt_hash varchar(64) not null,
  prompt text,
  created_at timestamptz not null default now()
);
create index if not exists idx_prompt_snapshots_turn on prompt_snapshots(turn_id);
create index if not exists idx_prompt_snapshots_created on prompt_snapshots(created_at);
