-- The core of the record: people, projects, agents, their talks and work items, what each call
-- used, what may be spent, and who is told. Safe to run again. Needs PostgreSQL 15 or PGlite.
do $$ begin
  if current_setting('server_version_num')::int < 150000 then
    raise exception 'PostgreSQL % is too old for Purser.', current_setting('server_version')
      using errcode = 'PU001', hint = 'Use PostgreSQL 15 or newer, or the embedded PGlite.';
  end if;
end $$;

create or replace function set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at = now();
  return new;
end $$;

create table if not exists users (
  id uuid primary key default gen_random_uuid(),
  username varchar(50) unique not null,
  email varchar(255) unique not null,
  password_hash varchar(255) not null,
  is_2fa_enabled boolean default false,
  totp_secret varchar(255),
  is_active boolean default true,
  is_admin boolean default false,
  telegram_chat_id bigint,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create table if not exists projects (
  id uuid primary key default gen_random_uuid(),
  name varchar(100) not null,
  description text,
  github_repo varchar(255),
  github_app_id varchar(100),
  github_installation_id varchar(100),
  local_path varchar(500),
  is_active boolean default true,
  owner_id uuid not null references users(id) on delete cascade,
  origin varchar(10) not null default 'api' check (origin in ('file', 'api')),
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create index if not exists idx_projects_owner on projects(owner_id);
create index if not exists idx_projects_github on projects(github_repo);

create table if not exists agents (
  id uuid primary key default gen_random_uuid(),
  name varchar(50) not null,
  type varchar(20) not null
    check (type in ('orchestrator', 'architect', 'coder', 'tester', 'reviewer')),
  model_config jsonb not null default '{}',
  system_prompt text,
  rules_file_path varchar(500),
  is_active boolean default true,
  project_id uuid references projects(id) on delete cascade,
  tier smallint check (tier between 1 and 9),
  origin varchar(10) not null default 'api' check (origin in ('file', 'api')),
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (project_id, name)
);
create index if not exists idx_agents_project on agents(project_id);
create index if not exists idx_agents_type on agents(type);

create table if not exists persons (
  id uuid primary key default gen_random_uuid(),
  name varchar(200) not null,
  external_id varchar(200) unique,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create table if not exists occasions (
  id uuid primary key default gen_random_uuid(),
  name varchar(200) not null,
  external_id varchar(200) unique,
  occurs_on date,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);

create table if not exists conversations (
  id uuid primary key default gen_random_uuid(),
  title varchar(200),
  type varchar(20) not null check (type in ('issue', 'general', 'task', 'review')),
  status varchar(20) default 'active'
    check (status in ('active', 'paused', 'completed', 'archived')),
  project_id uuid references projects(id) on delete cascade,
  created_by_user_id uuid references users(id),
  created_by_agent_id uuid references agents(id),
  external_id varchar(200),
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  constraint conversations_creator_check
    check (num_nonnulls(created_by_user_id, created_by_agent_id) >= 1)
);
create index if not exists idx_conversations_project on conversations(project_id);
create index if not exists idx_conversations_status on conversations(status);
create unique index if not exists idx_conversations_external
  on conversations(project_id, external_id) nulls not distinct where external_id is not null;

create table if not exists conversation_participants (
  conversation_id uuid references conversations(id) on delete cascade,
  agent_id uuid references agents(id) on delete cascade,
  joined_at timestamptz default now(),
  primary key (conversation_id, agent_id)
);

create table if not exists messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references conversations(id) on delete cascade,
  author_type varchar(20) not null check (author_type in ('user', 'agent')),
  user_id uuid references users(id) on delete set null,
  agent_id uuid references agents(id) on delete set null,
  content text not null,
  content_formatted text,
  reply_to_id uuid references messages(id),
  tokens_in bigint default 0,
  tokens_out bigint default 0,
  cost_usd numeric(20,9) default 0,
  model_used varchar(100),
  is_edited boolean default false,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create index if not exists idx_messages_conversation_created
  on messages(conversation_id, created_at);
create index if not exists idx_messages_agent on messages(agent_id);

create table if not exists github_issues (
  id uuid primary key default gen_random_uuid(),
  github_id bigint unique not null,
  number integer not null,
  title varchar(500) not null,
  body text,
  state varchar(20) not null default 'open',
  labels jsonb default '[]',
  assignee varchar(100),
  project_id uuid not null references projects(id) on delete cascade,
  conversation_id uuid references conversations(id),
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  github_created_at timestamptz,
  github_updated_at timestamptz,
  unique (project_id, number)
);
create index if not exists idx_issues_project on github_issues(project_id);
create index if not exists idx_issues_state on github_issues(state);
create index if not exists idx_issues_conversation on github_issues(conversation_id);

create table if not exists pull_requests (
  id uuid primary key default gen_random_uuid(),
  github_id bigint unique not null,
  number integer not null,
  title varchar(500) not null,
  body text,
  branch_from varchar(200) not null,
  branch_to varchar(200) not null,
  state varchar(20) not null default 'open',
  is_draft boolean default false,
  review_status varchar(20),
  test_status varchar(20),
  project_id uuid not null references projects(id) on delete cascade,
  issue_id uuid references github_issues(id),
  conversation_id uuid references conversations(id),
  created_by_agent_id uuid references agents(id),
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  merged_at timestamptz,
  github_created_at timestamptz,
  unique (project_id, number)
);
create index if not exists idx_prs_project on pull_requests(project_id);
create index if not exists idx_prs_issue on pull_requests(issue_id);
create index if not exists idx_prs_state on pull_requests(state);
create index if not exists idx_prs_agent on pull_requests(created_by_agent_id);

create table if not exists tasks (
  id uuid primary key default gen_random_uuid(),
  title varchar(300) not null,
  description text,
  status varchar(20) default 'pending'
    check (status in ('pending', 'in_progress', 'testing', 'review', 'completed', 'failed')),
  priority varchar(10) default 'medium' check (priority in ('low', 'medium', 'high', 'urgent')),
  assigned_to_agent_id uuid references agents(id) on delete set null,
  issue_id uuid references github_issues(id) on delete set null,
  project_id uuid not null references projects(id) on delete cascade,
  pr_id uuid references pull_requests(id) on delete set null,
  definition_of_done text,
  total_tokens_used bigint default 0,
  total_cost_usd numeric(20,9) default 0,
  external_id varchar(200),
  created_at timestamptz default now(),
  started_at timestamptz,
  completed_at timestamptz,
  updated_at timestamptz default now()
);
create index if not exists idx_tasks_project on tasks(project_id);
create index if not exists idx_tasks_agent on tasks(assigned_to_agent_id);
create index if not exists idx_tasks_status_priority on tasks(status, priority);
create index if not exists idx_tasks_issue on tasks(issue_id);
create unique index if not exists idx_tasks_external
  on tasks(project_id, external_id) where external_id is not null;

-- One client call is one turn. The id is given when the turn is written, in no order.
create table if not exists turns (
  id bigint generated by default as identity primary key,
  reservation_id uuid unique not null,
  user_id uuid references users(id) on delete set null,
  agent_id uuid references agents(id) on delete set null,
  project_id uuid references projects(id) on delete set null,
  conversation_id uuid references conversations(id) on delete set null,
  task_id uuid references tasks(id) on delete set null,
  api_key_id uuid,
  request_id text,
  provider text,
  model text not null,
  status varchar(20) not null default 'completed'
    check (status in ('completed', 'cut_by_budget', 'client_left', 'upstream_died',
      'upstream_timeout', 'reaped', 'adjusted', 'released')),
  started_at timestamptz,
  ended_at timestamptz,
  created_at timestamptz not null default now()
);
create index if not exists idx_turns_agent on turns(agent_id);
create index if not exists idx_turns_project on turns(project_id);
create index if not exists idx_turns_conversation on turns(conversation_id);
create index if not exists idx_turns_created on turns(created_at);

-- Append-only: a correction is a row of another kind. `usage_date` is the UTC day inside the
-- reservation id, so that one id always lands in one partition.
create table if not exists token_usage (
  id uuid not null default gen_random_uuid(),
  timestamp timestamptz default now(),
  usage_date date not null,
  user_id uuid references users(id) on delete set null,
  agent_id uuid references agents(id) on delete set null,
  agent_type varchar(20),
  conversation_id uuid references conversations(id) on delete set null,
  message_id uuid references messages(id) on delete set null,
  project_id uuid references projects(id) on delete set null,
  task_id uuid references tasks(id) on delete set null,
  model varchar(100) not null,
  tokens_in bigint not null default 0,
  tokens_out bigint not null default 0,
  cost_usd numeric(20,9) not null default 0,
  request_duration_ms integer,
  was_cached boolean default false,
  reservation_id uuid not null default gen_random_uuid(),
  kind varchar(12) not null default 'base'
    check (kind in ('base', 'late', 'adjust', 'reconciled')),
  outcome varchar(20) not null default 'completed'
    check (outcome in ('completed', 'cut_by_budget', 'client_left', 'upstream_died',
      'upstream_timeout', 'reaped', 'adjusted')),
  lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
  ledger_epoch bigint,
  ledger_seq bigint,
  provider text,
  tokens_cached_read bigint not null default 0,
  tokens_cache_write bigint not null default 0,
  tokens_reasoning bigint not null default 0,
  fee_usd numeric(20,9) not null default 0,
  usage_classes jsonb not null default '{}',
  price_version text,
  usage_source varchar(12) not null default 'provider'
    check (usage_source in ('provider', 'counted', 'estimated', 'reconciled')),
  overrun_usd numeric(20,9) not null default 0,
  attempts integer not null default 1,
  person_id uuid references persons(id) on delete set null,
  occasion_id uuid references occasions(id) on delete set null,
  issue_id uuid references github_issues(id) on delete set null,
  pull_request_id uuid references pull_requests(id) on delete set null,
  api_key_id uuid,
  end_user text,
  tags jsonb not null default '{}',
  attribution jsonb not null default '{}',
  metadata jsonb not null default '{}',
  primary key (id, usage_date),
  unique (reservation_id, kind, usage_date),
  constraint token_usage_not_negative check (
    kind <> 'base'
    or least(tokens_in, tokens_out, tokens_cached_read, tokens_cache_write, tokens_reasoning) >= 0
       and cost_usd >= 0 and fee_usd >= 0 and attempts >= 0
  )
) partition by range (usage_date);
create table if not exists token_usage_default partition of token_usage default;
create index if not exists idx_token_usage_timestamp on token_usage(timestamp);
create index if not exists idx_token_usage_agent on token_usage(agent_id);
create index if not exists idx_token_usage_project on token_usage(project_id);
create index if not exists idx_token_usage_conversation on token_usage(conversation_id);
create index if not exists idx_token_usage_date on token_usage(usage_date);

-- Makes the monthly partitions from the month of `first_day` on and answers how many it made.
-- Rows of such a month that already lie in the default partition move with it.
create or replace function make_token_usage_partitions(first_day date, months integer)
returns integer language plpgsql as $$
declare
  made integer := 0;
  starts date := date_trunc('month', first_day::timestamp)::date;
  ends date;
  part text;
begin
  lock table token_usage in share update exclusive mode;
  for month in 1..months loop
    ends := (starts + interval '1 month')::date;
    part := 'token_usage_' || to_char(starts, 'YYYY_MM');
    if to_regclass(part) is null then
      execute format('create table %I (like token_usage including all)', part);
      -- The check lets the attach below skip its scan of a table that the move has filled.
      execute format('alter table %I add constraint %I
        check (usage_date >= %L and usage_date < %L)', part, part || '_month', starts, ends);
      execute format('with moved as (delete from token_usage_default
        where usage_date >= %L and usage_date < %L returning *) insert into %I select * from moved',
        starts, ends, part);
      execute format('alter table token_usage attach partition %I for values from (%L) to (%L)',
        part, starts, ends);
      execute format('alter table %I drop constraint %I', part, part || '_month');
      made := made + 1;
    end if;
    starts := ends;
  end loop;
  return made;
end $$;

create table if not exists budget_limits (
  id uuid primary key default gen_random_uuid(),
  name varchar(100) not null,
  scope_type varchar(20) not null check (scope_type in (
    'global', 'project', 'agent', 'agent_type', 'user', 'key', 'conversation', 'task', 'person',
    'occasion', 'end_user', 'model', 'provider', 'tag', 'issue', 'pull_request')),
  scope_id uuid,
  scope_agent_type varchar(20),
  scope_key text,
  amount_usd numeric(20,9) check (amount_usd >= 0),
  amount_tokens bigint check (amount_tokens >= 0),
  amount_requests bigint check (amount_requests >= 0),
  amount_concurrency bigint check (amount_concurrency >= 0),
  period varchar(20) not null
    check (period in ('minutely', 'hourly', 'daily', 'weekly', 'monthly', 'ever')),
  alert_threshold numeric(3,2) default 0.80
    check (alert_threshold > 0 and alert_threshold <= 1.0),
  alert_thresholds numeric[] not null default '{}'
    check (0 < all (alert_thresholds) and 1 >= all (alert_thresholds)),
  action_on_exceed varchar(20) default 'warn' check (action_on_exceed in ('warn', 'block')),
  on_ledger_down varchar(20) not null default 'refuse'
    check (on_ledger_down in ('refuse', 'continue')),
  raise_amount numeric(29,9) check (raise_amount >= 0),
  raise_until timestamptz,
  time_zone varchar(64) not null default 'UTC',
  week_start smallint not null default 1 check (week_start between 1 and 7),
  anchor_day smallint not null default 1 check (anchor_day between 1 and 31),
  strict boolean not null default false,
  visible boolean not null default true,
  version bigint not null default 0,
  origin varchar(10) not null default 'api' check (origin in ('file', 'api')),
  is_active boolean default true,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  constraint budget_limits_one_unit_check check (
    num_nonnulls(amount_usd, amount_tokens, amount_requests, amount_concurrency) = 1),
  constraint budget_limits_concurrency_period_check
    check (amount_concurrency is null or period = 'ever'),
  constraint budget_limits_raise_check check (num_nonnulls(raise_amount, raise_until) <> 1)
);
create index if not exists idx_budget_scope on budget_limits(scope_type, scope_id);
create index if not exists idx_budget_agent_type on budget_limits(scope_type, scope_agent_type);

create table if not exists notifications (
  id uuid primary key default gen_random_uuid(),
  type varchar(50) not null,
  title varchar(200) not null,
  message text not null,
  severity varchar(20) default 'info' check (severity in ('info', 'warning', 'critical')),
  user_id uuid not null references users(id) on delete cascade,
  project_id uuid references projects(id),
  agent_id uuid references agents(id),
  is_read boolean default false,
  sent_telegram boolean default false,
  sent_email boolean default false,
  metadata jsonb default '{}',
  created_at timestamptz default now()
);
create index if not exists idx_notifications_user on notifications(user_id);
create index if not exists idx_notifications_read on notifications(user_id, is_read);
create index if not exists idx_notifications_created on notifications(created_at);

create table if not exists agent_memory (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references agents(id) on delete cascade,
  project_id uuid references projects(id),
  category varchar(50) not null,
  key varchar(200) not null,
  value jsonb not null,
  importance integer default 5 check (importance between 1 and 10),
  expires_at timestamptz,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique nulls not distinct (agent_id, project_id, category, key)
);
create index if not exists idx_agent_memory_agent on agent_memory(agent_id);
create index if not exists idx_agent_memory_project on agent_memory(project_id);
create index if not exists idx_agent_memory_expires on agent_memory(expires_at);

-- Events that come in (GitHub and the like); notices that go out lie in `outbox`.
create table if not exists webhooks (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references projects(id) on delete cascade,
  source varchar(50) not null,
  event_type varchar(100) not null,
  payload jsonb not null,
  processed boolean default false,
  processed_at timestamptz,
  error_message text,
  retry_count integer default 0,
  max_retries integer default 5,
  created_at timestamptz default now()
);
create index if not exists idx_webhooks_project on webhooks(project_id);
create index if not exists idx_webhooks_processed on webhooks(processed);
create index if not exists idx_webhooks_created on webhooks(created_at);

do $$
declare
  touched text;
begin
  foreach touched in array array['users', 'projects', 'agents', 'persons', 'occasions',
    'conversations', 'messages', 'github_issues', 'pull_requests', 'tasks', 'budget_limits',
    'agent_memory'] loop
    execute format('create or replace trigger %I before update on %I
      for each row execute function set_updated_at()', touched || '_updated_at', touched);
  end loop;
end $$;
