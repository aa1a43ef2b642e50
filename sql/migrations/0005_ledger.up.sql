-- What the ledger is rebuilt from, what a period came to, what is to be told, and the number by
-- which every gateway sees that something it holds in memory has changed. Safe to run again.
do $$ begin
  if to_regclass('budgets') is null or to_regclass('api_keys') is null
    or to_regclass('envelope_version') is null then
    raise exception 'The budgets, the versions of limits or the keys are missing.'
      using errcode = 'PU001',
      hint = 'Run 0001_core, 0002_budgets, 0003_limits and 0004_access of sql/migrations first, '
        'or: purser migrate up';
  end if;
end $$;

-- Amounts are in the unit's own whole numbers: nano-dollars, tokens, requests, calls at once.
-- Moved in the transaction that inserts the rows, in key order. Rows may come in any order, so a
-- correction may be here before what it corrects: no total is bound to be positive.
create table if not exists envelope_totals (
  envelope_id text not null,
  label text not null,
  unit varchar(12) not null check (unit in ('nano_usd', 'tokens', 'requests', 'concurrency')),
  committed bigint not null default 0,
  overrun bigint not null default 0,
  adjusted bigint not null default 0,
  last_seq bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (envelope_id, label)
) with (fillfactor = 70);

create table if not exists ledger_watermark (
  only_row boolean primary key default true check (only_row),
  epoch bigint not null default 0 check (epoch >= 0),
  seq bigint not null default 0 check (seq >= 0),
  updated_at timestamptz not null default now()
);
insert into ledger_watermark default values on conflict do nothing;

create table if not exists budget_periods (
  envelope_id text not null,
  label text not null,
  unit varchar(12) not null check (unit in ('nano_usd', 'tokens', 'requests', 'concurrency')),
  scope text,
  limit_amount bigint check (limit_amount >= 0),
  committed bigint not null default 0,
  overrun bigint not null default 0,
  adjusted bigint not null default 0,
  late_amount bigint not null default 0,
  state varchar(12) not null default 'provisional' check (state in ('provisional', 'final')),
  starts_at timestamptz,
  ends_at timestamptz,
  closed_at timestamptz not null default now(),
  final_at timestamptz,
  primary key (envelope_id, label)
);
create index if not exists idx_budget_periods_ends on budget_periods(ends_at);

create table if not exists alerts (
  id uuid primary key default gen_random_uuid(),
  envelope_id text not null,
  label text not null,
  threshold numeric not null check (threshold > 0 and threshold <= 1.0),
  unit varchar(12) not null check (unit in ('nano_usd', 'tokens', 'requests', 'concurrency')),
  committed bigint not null,
  limit_amount bigint not null,
  created_at timestamptz not null default now(),
  unique (envelope_id, label, threshold)
);
create index if not exists idx_alerts_created on alerts(created_at);

-- Notices on their way out. `dedupe_key` is what makes a notice go once.
create table if not exists outbox (
  id uuid primary key default gen_random_uuid(),
  type varchar(50) not null,
  dedupe_key text unique,
  destination text,
  payload jsonb not null,
  attempts integer not null default 0 check (attempts >= 0),
  next_attempt_at timestamptz not null default now(),
  delivered_at timestamptz,
  dead_at timestamptz,
  last_error text,
  created_at timestamptz not null default now()
);
create index if not exists idx_outbox_due on outbox(next_attempt_at)
  where delivered_at is null and dead_at is null;

create table if not exists gateways (
  id text primary key,
  host text,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table if not exists exchange_rates (
  currency varchar(3) not null check (currency ~ '^[A-Z]{3}$'),
  valid_from date not null,
  usd_per_unit numeric(20,9) not null check (usd_per_unit > 0),
  source text,
  created_at timestamptz not null default now(),
  primary key (currency, valid_from)
);

-- Which provider made a stored response, and whose it is.
create table if not exists response_ids (
  id text primary key,
  provider text not null,
  key_id uuid not null references api_keys(id) on delete cascade,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);
create index if not exists idx_response_ids_expires on response_ids(expires_at);

create table if not exists config_version (
  only_row boolean primary key default true check (only_row),
  version bigint not null default 1,
  updated_at timestamptz not null default now()
);
insert into config_version default values on conflict do nothing;

create or replace function bump_config_version() returns trigger language plpgsql as $$
begin
  update config_version set version = version + 1, updated_at = now();
  return null;
end $$;

do $$
declare
  watched text;
begin
  foreach watched in array array['projects', 'agents', 'api_keys', 'budget_limits', 'budgets',
    'tiers', 'tier_overrides', 'exchange_rates', 'settings'] loop
    execute format('create or replace trigger %I after insert or delete or truncate on %I
      for each statement execute function bump_config_version()', watched || '_config', watched);
  end loop;
  foreach watched in array array['projects', 'agents', 'budget_limits', 'tiers',
    'tier_overrides', 'exchange_rates', 'settings'] loop
    execute format('create or replace trigger %I after update on %I
      for each statement execute function bump_config_version()',
      watched || '_config_update', watched);
  end loop;
end $$;

-- The columns that every call or every batch of rows writes (when a key was last used, what is
-- used and reserved) do not count as a change.
create or replace trigger api_keys_config_update
  after update of public_id, secret_hash, kind, role, agent_id, user_id, fixed_dimensions,
    required_dimensions, allowed_dimensions, allowed_models, expires_at, disabled_at, revoked_at,
    grace_until, name
  on api_keys for each statement execute function bump_config_version();
create or replace trigger budgets_config_update
  after update of agent_id, allocated_tokens
  on budgets for each statement execute function bump_config_version();
