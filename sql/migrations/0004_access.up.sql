-- Who may do what: keys, tiers, settings, and the log of who changed what. Safe to run again.
do $$ begin
  if to_regclass('agents') is null then
    raise exception 'The table "agents" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

-- Only a keyed hash of the secret is kept; the key is found by its public id.
create table if not exists api_keys (
  id uuid primary key default gen_random_uuid(),
  public_id varchar(12) unique not null check (public_id ~ '^[0-9A-Za-z]{12}$'),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  prefix varchar(40) not null,
  name varchar(100) not null,
  kind varchar(10) not null default 'agent' check (kind in ('agent', 'admin')),
  role varchar(10) check (role in ('owner', 'finance', 'operator')),
  agent_id uuid references agents(id) on delete cascade,
  user_id uuid references users(id) on delete set null,
  fixed_dimensions jsonb not null default '{}' check (jsonb_typeof(fixed_dimensions) = 'object'),
  required_dimensions jsonb not null default '[]'
    check (jsonb_typeof(required_dimensions) = 'array'),
  allowed_dimensions jsonb check (jsonb_typeof(allowed_dimensions) = 'array'),
  allowed_models text[],
  expires_at timestamptz,
  disabled_at timestamptz,
  revoked_at timestamptz,
  rotated_from uuid references api_keys(id) on delete set null,
  grace_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz,
  constraint api_keys_holder_check check (
    (kind = 'agent' and agent_id is not null and role is null)
    or (kind = 'admin' and role is not null and agent_id is null))
);
create index if not exists idx_api_keys_agent on api_keys(agent_id);
create or replace trigger api_keys_updated_at before update on api_keys
  for each row execute function set_updated_at();

create table if not exists tiers (
  tier smallint primary key check (tier between 1 and 9),
  access_level varchar(20) not null,
  allowed_models text[],
  default_limits jsonb not null default '[]' check (jsonb_typeof(default_limits) = 'array'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create or replace trigger tiers_updated_at before update on tiers
  for each row execute function set_updated_at();

create table if not exists tier_overrides (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references projects(id) on delete cascade,
  tier smallint not null check (tier between 1 and 9),
  access_level varchar(20),
  allowed_models text[],
  default_limits jsonb check (jsonb_typeof(default_limits) = 'array'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, tier)
);
create or replace trigger tier_overrides_updated_at before update on tier_overrides
  for each row execute function set_updated_at();

create table if not exists settings (
  key varchar(100) primary key,
  value jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create or replace trigger settings_updated_at before update on settings
  for each row execute function set_updated_at();

create table if not exists audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor_kind varchar(20) not null,
  actor_id text,
  via varchar(20) not null,
  action varchar(50) not null,
  entity varchar(50) not null,
  entity_id text,
  before jsonb,
  after jsonb,
  request_id text,
  reason text
);
create index if not exists idx_audit_log_at on audit_log(at);
create index if not exists idx_audit_log_entity on audit_log(entity, entity_id);

create or replace function refuse_audit_change() returns trigger language plpgsql as $$
begin
  raise exception 'The audit log is append-only.' using errcode = 'insufficient_privilege';
end $$;
create or replace trigger audit_log_append_only before update or delete on audit_log
  for each row execute function refuse_audit_change();
create or replace trigger audit_log_no_truncate before truncate on audit_log
  for each statement execute function refuse_audit_change();
