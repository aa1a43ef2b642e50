-- Token envelopes of agents. `used` and `reserved` mirror the ledger; what went over the
-- allocation is told in `overrun_tokens`, so that the last check always holds. Safe to run again.
do $$ begin
  if to_regclass('agents') is null then
    raise exception 'The table "agents" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

create table if not exists budgets (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid unique not null references agents(id),
  allocated_tokens bigint not null default 0,
  used_tokens bigint not null default 0,
  reserved_tokens bigint not null default 0,
  overrun_tokens bigint not null default 0,
  version bigint not null default 0,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  constraint budgets_allocated_tokens_check check (allocated_tokens >= 0),
  constraint budgets_used_tokens_check check (used_tokens >= 0),
  constraint budgets_reserved_tokens_check check (reserved_tokens >= 0),
  constraint budgets_overrun_tokens_check check (overrun_tokens >= 0),
  constraint budgets_within_allocation_check
    check (used_tokens + reserved_tokens <= allocated_tokens)
);
create index if not exists idx_budgets_agent on budgets(agent_id);
create or replace trigger budgets_updated_at before update on budgets
  for each row execute function set_updated_at();
