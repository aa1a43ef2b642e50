-- Written from the catalogue of a migrated database; see README.md. Do not edit.

create sequence envelope_version;
CREATE OR REPLACE FUNCTION public.bump_config_version()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update config_version set version = version + 1, updated_at = now();
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.empty_usage_hours()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  delete from usage_hours;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.make_token_usage_partitions(first_day date, months integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.move_usage_hours()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'The audit log is append-only.' using errcode = 'insufficient_privilege';
end $function$;

CREATE OR REPLACE FUNCTION public.set_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.updated_at = now();
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.version_budget()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'INSERT' or new.allocated_tokens <> old.allocated_tokens then
    new.version = nextval('envelope_version');
  else
    new.version = old.version;
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.version_budget_limit()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' then
    if (new.scope_type, new.scope_id, new.scope_agent_type, new.scope_key, new.period)
        is distinct from
        (old.scope_type, old.scope_id, old.scope_agent_type, old.scope_key, old.period)
      or (new.amount_usd is null, new.amount_tokens is null, new.amount_requests is null)
        is distinct from
        (old.amount_usd is null, old.amount_tokens is null, old.amount_requests is null) then
      raise exception 'Scope, unit and period of the limit "%" never change.', old.name
        using errcode = 'check_violation', constraint = 'budget_limits_identity',
          hint = 'Make this limit inactive and insert another one.';
    end if;
    if (new.amount_usd, new.amount_tokens, new.amount_requests, new.amount_concurrency,
        new.action_on_exceed, new.on_ledger_down, new.raise_amount, new.raise_until,
        new.time_zone, new.week_start, new.anchor_day, new."strict", new.is_active)
      is not distinct from
       (old.amount_usd, old.amount_tokens, old.amount_requests, old.amount_concurrency,
        old.action_on_exceed, old.on_ledger_down, old.raise_amount, old.raise_until,
        old.time_zone, old.week_start, old.anchor_day, old."strict", old.is_active) then
      new.version = old.version;
      return new;
    end if;
  end if;
  new.version = nextval('envelope_version');
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.version_pairs_of_rate()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update person_occasions set version = nextval('envelope_version')
  where budget_currency in
    (coalesce(new.currency, old.currency), coalesce(old.currency, new.currency));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION public.version_person_occasion()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.budget_amount, new.budget_currency) is distinct from
     (old.budget_amount, old.budget_currency) then
    new.version = nextval('envelope_version');
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.version_tier()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if (new.access_level, new.allowed_models, new.default_limits) is distinct from
     (old.access_level, old.allowed_models, old.default_limits) then
    new.version = nextval('envelope_version');
  end if;
  return new;
end $function$;

CREATE OR REPLACE FUNCTION public.version_tier_of_override()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update tiers set version = nextval('envelope_version')
  where tier in (coalesce(new.tier, old.tier), coalesce(old.tier, new.tier));
  return null;
end $function$;

create table agent_memory (
  id uuid default gen_random_uuid() not null,
  agent_id uuid not null,
  project_id uuid,
  category character varying(50) not null,
  key character varying(200) not null,
  value jsonb not null,
  importance integer default 5,
  expires_at timestamp with time zone,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint agent_memory_pkey PRIMARY KEY (id),
  constraint agent_memory_agent_id_project_id_category_key_key UNIQUE NULLS NOT DISTINCT (agent_id, project_id, category, key),
  constraint agent_memory_importance_check CHECK (((importance >= 1) AND (importance <= 10)))
);

create table agents (
  id uuid default gen_random_uuid() not null,
  name character varying(50) not null,
  type character varying(20) not null,
  model_config jsonb default '{}'::jsonb not null,
  system_prompt text,
  rules_file_path character varying(500),
  is_active boolean default true,
  project_id uuid,
  tier smallint,
  origin character varying(10) default 'api'::character varying not null,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint agents_pkey PRIMARY KEY (id),
  constraint agents_project_id_name_key UNIQUE (project_id, name),
  constraint agents_origin_check CHECK ((origin = ANY (ARRAY['file', 'api']))),
  constraint agents_tier_check CHECK (((tier >= 1) AND (tier <= 9))),
  constraint agents_type_check CHECK ((type = ANY (ARRAY['orchestrator', 'architect', 'coder', 'tester', 'reviewer'])))
);

create table alerts (
  id uuid default gen_random_uuid() not null,
  envelope_id text not null,
  label text not null,
  threshold numeric not null,
  unit character varying(12) not null,
  committed bigint not null,
  limit_amount bigint not null,
  created_at timestamp with time zone default now() not null,
  constraint alerts_pkey PRIMARY KEY (id),
  constraint alerts_envelope_id_label_threshold_key UNIQUE (envelope_id, label, threshold),
  constraint alerts_threshold_check CHECK (((threshold > (0)::numeric) AND (threshold <= 1.0))),
  constraint alerts_unit_check CHECK ((unit = ANY (ARRAY['nano_usd', 'tokens', 'requests', 'concurrency'])))
);

create table api_keys (
  id uuid default gen_random_uuid() not null,
  public_id character varying(12) not null,
  secret_hash bytea not null,
  prefix character varying(40) not null,
  name character varying(100) not null,
  kind character varying(10) default 'agent'::character varying not null,
  role character varying(10),
  agent_id uuid,
  user_id uuid,
  fixed_dimensions jsonb default '{}'::jsonb not null,
  required_dimensions jsonb default '[]'::jsonb not null,
  allowed_dimensions jsonb,
  allowed_models text[],
  expires_at timestamp with time zone,
  disabled_at timestamp with time zone,
  revoked_at timestamp with time zone,
  rotated_from uuid,
  grace_until timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  last_used_at timestamp with time zone,
  constraint api_keys_pkey PRIMARY KEY (id),
  constraint api_keys_public_id_key UNIQUE (public_id),
  constraint api_keys_allowed_dimensions_check CHECK ((jsonb_typeof(allowed_dimensions) = 'array')),
  constraint api_keys_fixed_dimensions_check CHECK ((jsonb_typeof(fixed_dimensions) = 'object')),
  constraint api_keys_holder_check CHECK ((((kind = 'agent') AND (agent_id IS NOT NULL) AND (role IS NULL)) OR ((kind = 'admin') AND (role IS NOT NULL) AND (agent_id IS NULL)))),
  constraint api_keys_kind_check CHECK ((kind = ANY (ARRAY['agent', 'admin']))),
  constraint api_keys_public_id_check CHECK ((public_id ~ '^[0-9A-Za-z]{12}$')),
  constraint api_keys_required_dimensions_check CHECK ((jsonb_typeof(required_dimensions) = 'array')),
  constraint api_keys_role_check CHECK ((role = ANY (ARRAY['owner', 'finance', 'operator']))),
  constraint api_keys_secret_hash_check CHECK ((octet_length(secret_hash) = 32))
);

create table audit_log (
  id bigint generated always as identity not null,
  at timestamp with time zone default now() not null,
  actor_kind character varying(20) not null,
  actor_id text,
  via character varying(20) not null,
  action character varying(50) not null,
  entity character varying(50) not null,
  entity_id text,
  before jsonb,
  after jsonb,
  request_id text,
  reason text,
  constraint audit_log_pkey PRIMARY KEY (id)
);

create table budget_limits (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  scope_type character varying(20) not null,
  scope_id uuid,
  scope_agent_type character varying(20),
  scope_key text,
  amount_usd numeric(20,9),
  amount_tokens bigint,
  amount_requests bigint,
  amount_concurrency bigint,
  period character varying(20) not null,
  alert_threshold numeric(3,2) default 0.80,
  alert_thresholds numeric[] default '{}'::numeric[] not null,
  action_on_exceed character varying(20) default 'warn'::character varying,
  on_ledger_down character varying(20) default 'refuse'::character varying not null,
  raise_amount numeric(29,9),
  raise_until timestamp with time zone,
  time_zone character varying(64) default 'UTC'::character varying not null,
  week_start smallint default 1 not null,
  anchor_day smallint default 1 not null,
  strict boolean default false not null,
  visible boolean default true not null,
  version bigint default 0 not null,
  origin character varying(10) default 'api'::character varying not null,
  is_active boolean default true,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint budget_limits_pkey PRIMARY KEY (id),
  constraint budget_limits_action_on_exceed_check CHECK ((action_on_exceed = ANY (ARRAY['warn', 'block']))),
  constraint budget_limits_alert_threshold_check CHECK (((alert_threshold > (0)::numeric) AND (alert_threshold <= 1.0))),
  constraint budget_limits_alert_thresholds_check CHECK ((((0)::numeric < ALL (alert_thresholds)) AND ((1)::numeric >= ALL (alert_thresholds)))),
  constraint budget_limits_amount_concurrency_check CHECK ((amount_concurrency >= 0)),
  constraint budget_limits_amount_requests_check CHECK ((amount_requests >= 0)),
  constraint budget_limits_amount_tokens_check CHECK ((amount_tokens >= 0)),
  constraint budget_limits_amount_usd_check CHECK ((amount_usd >= (0)::numeric)),
  constraint budget_limits_anchor_day_check CHECK (((anchor_day >= 1) AND (anchor_day <= 31))),
  constraint budget_limits_concurrency_period_check CHECK (((amount_concurrency IS NULL) OR (period = 'ever'))),
  constraint budget_limits_on_ledger_down_check CHECK ((on_ledger_down = ANY (ARRAY['refuse', 'continue']))),
  constraint budget_limits_one_unit_check CHECK ((num_nonnulls(amount_usd, amount_tokens, amount_requests, amount_concurrency) = 1)),
  constraint budget_limits_origin_check CHECK ((origin = ANY (ARRAY['file', 'api']))),
  constraint budget_limits_period_check CHECK ((period = ANY (ARRAY['minutely', 'hourly', 'daily', 'weekly', 'monthly', 'ever']))),
  constraint budget_limits_raise_amount_check CHECK ((raise_amount >= (0)::numeric)),
  constraint budget_limits_raise_check CHECK ((num_nonnulls(raise_amount, raise_until) <> 1)),
  constraint budget_limits_scope_type_check CHECK ((scope_type = ANY (ARRAY['global', 'project', 'agent', 'agent_type', 'user', 'key', 'conversation', 'task', 'person', 'occasion', 'end_user', 'model', 'provider', 'tag', 'issue', 'pull_request']))),
  constraint budget_limits_week_start_check CHECK (((week_start >= 1) AND (week_start <= 7)))
);

create table budget_periods (
  envelope_id text not null,
  label text not null,
  unit character varying(12) not null,
  scope text,
  limit_amount bigint,
  committed bigint default 0 not null,
  overrun bigint default 0 not null,
  adjusted bigint default 0 not null,
  late_amount bigint default 0 not null,
  state character varying(12) default 'provisional'::character varying not null,
  starts_at timestamp with time zone,
  ends_at timestamp with time zone,
  closed_at timestamp with time zone default now() not null,
  final_at timestamp with time zone,
  constraint budget_periods_pkey PRIMARY KEY (envelope_id, label),
  constraint budget_periods_limit_amount_check CHECK ((limit_amount >= 0)),
  constraint budget_periods_state_check CHECK ((state = ANY (ARRAY['provisional', 'final']))),
  constraint budget_periods_unit_check CHECK ((unit = ANY (ARRAY['nano_usd', 'tokens', 'requests', 'concurrency'])))
);

create table budgets (
  id uuid default gen_random_uuid() not null,
  agent_id uuid not null,
  allocated_tokens bigint default 0 not null,
  used_tokens bigint default 0 not null,
  reserved_tokens bigint default 0 not null,
  overrun_tokens bigint default 0 not null,
  version bigint default 0 not null,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_agent_id_key UNIQUE (agent_id),
  constraint budgets_allocated_tokens_check CHECK ((allocated_tokens >= 0)),
  constraint budgets_overrun_tokens_check CHECK ((overrun_tokens >= 0)),
  constraint budgets_reserved_tokens_check CHECK ((reserved_tokens >= 0)),
  constraint budgets_used_tokens_check CHECK ((used_tokens >= 0)),
  constraint budgets_within_allocation_check CHECK (((used_tokens + reserved_tokens) <= allocated_tokens))
);

create table calibrations (
  target text not null,
  bucket smallint not null,
  seen bigint not null,
  constraint calibrations_pkey PRIMARY KEY (target, bucket),
  constraint calibrations_bucket_check CHECK (((bucket >= 0) AND (bucket <= 500))),
  constraint calibrations_seen_check CHECK ((seen >= 0))
);

create table config_version (
  only_row boolean default true not null,
  version bigint default 1 not null,
  updated_at timestamp with time zone default now() not null,
  constraint config_version_pkey PRIMARY KEY (only_row),
  constraint config_version_only_row_check CHECK (only_row)
);

create table conversation_participants (
  conversation_id uuid not null,
  agent_id uuid not null,
  joined_at timestamp with time zone default now(),
  constraint conversation_participants_pkey PRIMARY KEY (conversation_id, agent_id)
);

create table conversations (
  id uuid default gen_random_uuid() not null,
  title character varying(200),
  type character varying(20) not null,
  status character varying(20) default 'active'::character varying,
  project_id uuid,
  created_by_user_id uuid,
  created_by_agent_id uuid,
  external_id character varying(200),
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint conversations_pkey PRIMARY KEY (id),
  constraint conversations_creator_check CHECK ((num_nonnulls(created_by_user_id, created_by_agent_id) >= 1)),
  constraint conversations_status_check CHECK ((status = ANY (ARRAY['active', 'paused', 'completed', 'archived']))),
  constraint conversations_type_check CHECK ((type = ANY (ARRAY['issue', 'general', 'task', 'review'])))
);

create table envelope_totals (
  envelope_id text not null,
  label text not null,
  unit character varying(12) not null,
  committed bigint default 0 not null,
  overrun bigint default 0 not null,
  adjusted bigint default 0 not null,
  last_seq bigint default 0 not null,
  updated_at timestamp with time zone default now() not null,
  constraint envelope_totals_pkey PRIMARY KEY (envelope_id, label),
  constraint envelope_totals_unit_check CHECK ((unit = ANY (ARRAY['nano_usd', 'tokens', 'requests', 'concurrency'])))
);

create table exchange_rates (
  currency character varying(3) not null,
  valid_from date not null,
  usd_per_unit numeric(20,9) not null,
  source text,
  created_at timestamp with time zone default now() not null,
  constraint exchange_rates_pkey PRIMARY KEY (currency, valid_from),
  constraint exchange_rates_currency_check CHECK ((currency ~ '^[A-Z]{3}$')),
  constraint exchange_rates_usd_per_unit_check CHECK ((usd_per_unit > (0)::numeric))
);

create table gateways (
  id text not null,
  host text,
  started_at timestamp with time zone default now() not null,
  seen_at timestamp with time zone default now() not null,
  epoch bigint default 0 not null,
  constraint gateways_pkey PRIMARY KEY (id)
);

create table github_issues (
  id uuid default gen_random_uuid() not null,
  github_id bigint not null,
  number integer not null,
  title character varying(500) not null,
  body text,
  state character varying(20) default 'open'::character varying not null,
  labels jsonb default '[]'::jsonb,
  assignee character varying(100),
  project_id uuid not null,
  conversation_id uuid,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  github_created_at timestamp with time zone,
  github_updated_at timestamp with time zone,
  constraint github_issues_pkey PRIMARY KEY (id),
  constraint github_issues_github_id_key UNIQUE (github_id),
  constraint github_issues_project_id_number_key UNIQUE (project_id, number)
);

create table idempotency_keys (
  actor_id uuid not null,
  key character varying(255) not null,
  request_hash bytea not null,
  status smallint,
  answer bytea,
  created_at timestamp with time zone default now() not null,
  constraint idempotency_keys_pkey PRIMARY KEY (actor_id, key),
  constraint idempotency_keys_answer_check CHECK (((status IS NULL) = (answer IS NULL))),
  constraint idempotency_keys_request_hash_check CHECK ((octet_length(request_hash) = 32))
);

create table ledger_watermark (
  only_row boolean default true not null,
  epoch bigint default 0 not null,
  seq bigint default 0 not null,
  updated_at timestamp with time zone default now() not null,
  sealed_epoch bigint default 0 not null,
  constraint ledger_watermark_pkey PRIMARY KEY (only_row),
  constraint ledger_watermark_epoch_check CHECK ((epoch >= 0)),
  constraint ledger_watermark_only_row_check CHECK (only_row),
  constraint ledger_watermark_sealed_epoch_check CHECK ((sealed_epoch >= 0)),
  constraint ledger_watermark_seq_check CHECK ((seq >= 0))
);

create table messages (
  id uuid default gen_random_uuid() not null,
  conversation_id uuid not null,
  author_type character varying(20) not null,
  user_id uuid,
  agent_id uuid,
  content text not null,
  content_formatted text,
  reply_to_id uuid,
  tokens_in bigint default 0,
  tokens_out bigint default 0,
  cost_usd numeric(20,9) default 0,
  model_used character varying(100),
  is_edited boolean default false,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint messages_pkey PRIMARY KEY (id),
  constraint messages_author_type_check CHECK ((author_type = ANY (ARRAY['user', 'agent'])))
);

create table notifications (
  id uuid default gen_random_uuid() not null,
  type character varying(50) not null,
  title character varying(200) not null,
  message text not null,
  severity character varying(20) default 'info'::character varying,
  user_id uuid not null,
  project_id uuid,
  agent_id uuid,
  is_read boolean default false,
  sent_telegram boolean default false,
  sent_email boolean default false,
  metadata jsonb default '{}'::jsonb,
  created_at timestamp with time zone default now(),
  constraint notifications_pkey PRIMARY KEY (id),
  constraint notifications_severity_check CHECK ((severity = ANY (ARRAY['info', 'warning', 'critical'])))
);

create table occasions (
  id uuid default gen_random_uuid() not null,
  name character varying(200) not null,
  external_id character varying(200),
  occurs_on date,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint occasions_pkey PRIMARY KEY (id),
  constraint occasions_external_id_key UNIQUE (external_id)
);

create table outbox (
  id uuid default gen_random_uuid() not null,
  type character varying(50) not null,
  dedupe_key text,
  destination text,
  payload jsonb not null,
  attempts integer default 0 not null,
  next_attempt_at timestamp with time zone default now() not null,
  delivered_at timestamp with time zone,
  dead_at timestamp with time zone,
  last_error text,
  created_at timestamp with time zone default now() not null,
  constraint outbox_pkey PRIMARY KEY (id),
  constraint outbox_dedupe_key_key UNIQUE (dedupe_key),
  constraint outbox_attempts_check CHECK ((attempts >= 0))
);

create table person_occasions (
  id uuid default gen_random_uuid() not null,
  person_id uuid not null,
  occasion_id uuid not null,
  version bigint default nextval('envelope_version'::regclass) not null,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  budget_amount numeric(20,9),
  budget_spent numeric(20,9) default 0 not null,
  budget_currency character varying(3) default 'USD'::character varying not null,
  budget_notes text,
  constraint person_occasions_pkey PRIMARY KEY (id),
  constraint person_occasions_person_id_occasion_id_key UNIQUE (person_id, occasion_id),
  constraint person_occasions_budget_amount_check CHECK ((budget_amount >= (0)::numeric))
);

create table persons (
  id uuid default gen_random_uuid() not null,
  name character varying(200) not null,
  external_id character varying(200),
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint persons_pkey PRIMARY KEY (id),
  constraint persons_external_id_key UNIQUE (external_id)
);

create table projects (
  id uuid default gen_random_uuid() not null,
  name character varying(100) not null,
  description text,
  github_repo character varying(255),
  github_app_id character varying(100),
  github_installation_id character varying(100),
  local_path character varying(500),
  is_active boolean default true,
  owner_id uuid not null,
  origin character varying(10) default 'api'::character varying not null,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint projects_pkey PRIMARY KEY (id),
  constraint projects_origin_check CHECK ((origin = ANY (ARRAY['file', 'api'])))
);

create table prompt_snapshots (
  id uuid default gen_random_uuid() not null,
  reservation_id uuid,
  agent_id uuid,
  template_id uuid,
  prompt_hash character varying(64) not null,
  prompt text,
  created_at timestamp with time zone default now() not null,
  budget_report jsonb,
  turn_id bigint,
  constraint prompt_snapshots_pkey PRIMARY KEY (id)
);

create table prompt_templates (
  template_id uuid not null,
  slot_id uuid not null,
  "position" integer not null,
  constraint prompt_templates_pkey PRIMARY KEY (template_id, slot_id),
  constraint prompt_templates_template_id_position_key UNIQUE (template_id, "position") DEFERRABLE,
  constraint prompt_templates_position_check CHECK (("position" >= 0))
);

create table pull_requests (
  id uuid default gen_random_uuid() not null,
  github_id bigint not null,
  number integer not null,
  title character varying(500) not null,
  body text,
  branch_from character varying(200) not null,
  branch_to character varying(200) not null,
  state character varying(20) default 'open'::character varying not null,
  is_draft boolean default false,
  review_status character varying(20),
  test_status character varying(20),
  project_id uuid not null,
  issue_id uuid,
  conversation_id uuid,
  created_by_agent_id uuid,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  merged_at timestamp with time zone,
  github_created_at timestamp with time zone,
  constraint pull_requests_pkey PRIMARY KEY (id),
  constraint pull_requests_github_id_key UNIQUE (github_id),
  constraint pull_requests_project_id_number_key UNIQUE (project_id, number)
);

create table response_ids (
  id text not null,
  provider text not null,
  key_id uuid not null,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default now() not null,
  constraint response_ids_pkey PRIMARY KEY (id)
);

create table settings (
  key character varying(100) not null,
  value jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint settings_pkey PRIMARY KEY (key)
);

create table slots (
  id uuid default gen_random_uuid() not null,
  project_id uuid,
  key character varying(100) not null,
  category character varying(50) default 'context'::character varying not null,
  priority integer default 0 not null,
  source character varying(30) default 'text'::character varying not null,
  content text,
  soft_limit_chars integer,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  must_keep boolean default false not null,
  min_chars integer default 0 not null,
  constraint slots_pkey PRIMARY KEY (id),
  constraint slots_project_id_key_key UNIQUE NULLS NOT DISTINCT (project_id, key),
  constraint slots_min_chars_check CHECK ((min_chars >= 0)),
  constraint slots_soft_limit_chars_check CHECK ((soft_limit_chars > 0)),
  constraint slots_source_check CHECK ((source = ANY (ARRAY['text', 'system_prompt', 'rules_file', 'agent_memory', 'request', 'conversation'])))
);

create table tasks (
  id uuid default gen_random_uuid() not null,
  title character varying(300) not null,
  description text,
  status character varying(20) default 'pending'::character varying,
  priority character varying(10) default 'medium'::character varying,
  assigned_to_agent_id uuid,
  issue_id uuid,
  project_id uuid not null,
  pr_id uuid,
  definition_of_done text,
  total_tokens_used bigint default 0,
  total_cost_usd numeric(20,9) default 0,
  external_id character varying(200),
  created_at timestamp with time zone default now(),
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  updated_at timestamp with time zone default now(),
  constraint tasks_pkey PRIMARY KEY (id),
  constraint tasks_priority_check CHECK ((priority = ANY (ARRAY['low', 'medium', 'high', 'urgent']))),
  constraint tasks_status_check CHECK ((status = ANY (ARRAY['pending', 'in_progress', 'testing', 'review', 'completed', 'failed'])))
);

create table templates (
  id uuid default gen_random_uuid() not null,
  project_id uuid,
  name character varying(100) not null,
  description text,
  max_prompt_tokens bigint,
  is_active boolean default true not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint templates_pkey PRIMARY KEY (id),
  constraint templates_project_id_name_key UNIQUE NULLS NOT DISTINCT (project_id, name),
  constraint templates_max_prompt_tokens_check CHECK ((max_prompt_tokens > 0))
);

create table tier_overrides (
  id uuid default gen_random_uuid() not null,
  project_id uuid not null,
  tier smallint not null,
  access_level character varying(20),
  allowed_models text[],
  default_limits jsonb,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint tier_overrides_pkey PRIMARY KEY (id),
  constraint tier_overrides_project_id_tier_key UNIQUE (project_id, tier),
  constraint tier_overrides_default_limits_check CHECK ((jsonb_typeof(default_limits) = 'array')),
  constraint tier_overrides_tier_check CHECK (((tier >= 1) AND (tier <= 9)))
);

create table tiers (
  tier smallint not null,
  access_level character varying(20) not null,
  allowed_models text[],
  default_limits jsonb default '[]'::jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  version bigint default nextval('envelope_version'::regclass) not null,
  constraint tiers_pkey PRIMARY KEY (tier),
  constraint tiers_default_limits_check CHECK ((jsonb_typeof(default_limits) = 'array')),
  constraint tiers_tier_check CHECK (((tier >= 1) AND (tier <= 9)))
);

create table token_usage (
  id uuid default gen_random_uuid() not null,
  "timestamp" timestamp with time zone default now(),
  usage_date date not null,
  user_id uuid,
  agent_id uuid,
  agent_type character varying(20),
  conversation_id uuid,
  message_id uuid,
  project_id uuid,
  task_id uuid,
  model character varying(100) not null,
  tokens_in bigint default 0 not null,
  tokens_out bigint default 0 not null,
  cost_usd numeric(20,9) default 0 not null,
  request_duration_ms integer,
  was_cached boolean default false,
  reservation_id uuid default gen_random_uuid() not null,
  kind character varying(12) default 'base'::character varying not null,
  outcome character varying(20) default 'completed'::character varying not null,
  lines jsonb default '[]'::jsonb not null,
  ledger_epoch bigint,
  ledger_seq bigint,
  provider text,
  tokens_cached_read bigint default 0 not null,
  tokens_cache_write bigint default 0 not null,
  tokens_reasoning bigint default 0 not null,
  fee_usd numeric(20,9) default 0 not null,
  usage_classes jsonb default '{}'::jsonb not null,
  price_version text,
  usage_source character varying(12) default 'provider'::character varying not null,
  overrun_usd numeric(20,9) default 0 not null,
  attempts integer default 1 not null,
  person_id uuid,
  occasion_id uuid,
  issue_id uuid,
  pull_request_id uuid,
  api_key_id uuid,
  end_user text,
  tags jsonb default '{}'::jsonb not null,
  attribution jsonb default '{}'::jsonb not null,
  metadata jsonb default '{}'::jsonb not null,
  tokens_saved bigint default 0 not null,
  saved_usd numeric(20,9) default 0 not null,
  constraint token_usage_pkey PRIMARY KEY (id, usage_date),
  constraint token_usage_reservation_id_kind_usage_date_key UNIQUE (reservation_id, kind, usage_date),
  constraint token_usage_kind_check CHECK ((kind = ANY (ARRAY['base', 'late', 'adjust', 'reconciled']))),
  constraint token_usage_lines_check CHECK ((jsonb_typeof(lines) = 'array')),
  constraint token_usage_not_negative CHECK (((kind <> 'base') OR ((LEAST(tokens_in, tokens_out, tokens_cached_read, tokens_cache_write, tokens_reasoning) >= 0) AND (cost_usd >= (0)::numeric) AND (fee_usd >= (0)::numeric) AND (attempts >= 0)))),
  constraint token_usage_outcome_check CHECK ((outcome = ANY (ARRAY['completed', 'cut_by_budget', 'client_left', 'upstream_died', 'upstream_timeout', 'reaped', 'adjusted']))),
  constraint token_usage_saved_usd_check CHECK ((saved_usd >= (0)::numeric)),
  constraint token_usage_tokens_saved_check CHECK ((tokens_saved >= 0)),
  constraint token_usage_usage_source_check CHECK ((usage_source = ANY (ARRAY['provider', 'counted', 'estimated', 'reconciled'])))
) partition by RANGE (usage_date);

create table turn_metrics (
  turn_id bigint not null,
  tokens_before bigint,
  tokens_after bigint,
  trims_count integer default 0 not null,
  top_keys jsonb default '[]'::jsonb not null,
  rejects integer default 0 not null,
  model_ms integer,
  first_byte_ms integer,
  estimated_input_tokens bigint,
  estimated_output_tokens bigint,
  held_usd numeric(20,9),
  attempts integer default 1 not null,
  finish_reason text,
  created_at timestamp with time zone default now() not null,
  constraint turn_metrics_pkey PRIMARY KEY (turn_id),
  constraint turn_metrics_attempts_check CHECK ((attempts >= 0)),
  constraint turn_metrics_estimated_input_tokens_check CHECK ((estimated_input_tokens >= 0)),
  constraint turn_metrics_estimated_output_tokens_check CHECK ((estimated_output_tokens >= 0)),
  constraint turn_metrics_first_byte_ms_check CHECK ((first_byte_ms >= 0)),
  constraint turn_metrics_held_usd_check CHECK ((held_usd >= (0)::numeric)),
  constraint turn_metrics_model_ms_check CHECK ((model_ms >= 0)),
  constraint turn_metrics_rejects_check CHECK ((rejects >= 0)),
  constraint turn_metrics_tokens_after_check CHECK ((tokens_after >= 0)),
  constraint turn_metrics_tokens_before_check CHECK ((tokens_before >= 0)),
  constraint turn_metrics_trims_count_check CHECK ((trims_count >= 0))
);

create table turns (
  id bigint generated by default as identity not null,
  reservation_id uuid not null,
  user_id uuid,
  agent_id uuid,
  project_id uuid,
  conversation_id uuid,
  task_id uuid,
  api_key_id uuid,
  request_id text,
  provider text,
  model text not null,
  status character varying(20) default 'completed'::character varying not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  constraint turns_pkey PRIMARY KEY (id),
  constraint turns_reservation_id_key UNIQUE (reservation_id),
  constraint turns_status_check CHECK ((status = ANY (ARRAY['completed', 'cut_by_budget', 'client_left', 'upstream_died', 'upstream_timeout', 'reaped', 'adjusted', 'released'])))
);

create table unsettled_calls (
  reservation_id uuid not null,
  event jsonb not null,
  adjust_id uuid,
  attempts integer default 0 not null,
  next_attempt_at timestamp with time zone not null,
  last_error text,
  created_at timestamp with time zone default now() not null,
  constraint unsettled_calls_pkey PRIMARY KEY (reservation_id),
  constraint unsettled_calls_attempts_check CHECK ((attempts >= 0))
);

create table usage_hours (
  hour timestamp with time zone not null,
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
  tokens_saved numeric default 0 not null,
  saved_usd numeric default 0 not null,
  constraint usage_hours_pkey PRIMARY KEY (hour, key)
);

create table users (
  id uuid default gen_random_uuid() not null,
  username character varying(50) not null,
  email character varying(255) not null,
  password_hash character varying(255) not null,
  is_2fa_enabled boolean default false,
  totp_secret character varying(255),
  is_active boolean default true,
  is_admin boolean default false,
  telegram_chat_id bigint,
  created_at timestamp with time zone default now(),
  updated_at timestamp with time zone default now(),
  constraint users_pkey PRIMARY KEY (id),
  constraint users_email_key UNIQUE (email),
  constraint users_username_key UNIQUE (username)
);

create table webhooks (
  id uuid default gen_random_uuid() not null,
  project_id uuid not null,
  source character varying(50) not null,
  event_type character varying(100) not null,
  payload jsonb not null,
  processed boolean default false,
  processed_at timestamp with time zone,
  error_message text,
  retry_count integer default 0,
  max_retries integer default 5,
  created_at timestamp with time zone default now(),
  constraint webhooks_pkey PRIMARY KEY (id)
);

create table token_usage_default partition of token_usage DEFAULT;
CREATE INDEX idx_agent_memory_agent ON public.agent_memory USING btree (agent_id);
CREATE INDEX idx_agent_memory_expires ON public.agent_memory USING btree (expires_at);
CREATE INDEX idx_agent_memory_project ON public.agent_memory USING btree (project_id);
CREATE INDEX idx_agents_project ON public.agents USING btree (project_id);
CREATE INDEX idx_agents_type ON public.agents USING btree (type);
CREATE INDEX idx_alerts_created ON public.alerts USING btree (created_at);
CREATE INDEX idx_api_keys_agent ON public.api_keys USING btree (agent_id);
CREATE INDEX idx_audit_log_at ON public.audit_log USING btree (at);
CREATE INDEX idx_audit_log_entity ON public.audit_log USING btree (entity, entity_id);
CREATE INDEX idx_budget_agent_type ON public.budget_limits USING btree (scope_type, scope_agent_type);
CREATE UNIQUE INDEX idx_budget_limits_name ON public.budget_limits USING btree (name) WHERE is_active;
CREATE INDEX idx_budget_scope ON public.budget_limits USING btree (scope_type, scope_id);
CREATE INDEX idx_budget_periods_ends ON public.budget_periods USING btree (ends_at);
CREATE INDEX idx_budgets_agent ON public.budgets USING btree (agent_id);
CREATE UNIQUE INDEX idx_conversations_external ON public.conversations USING btree (project_id, external_id) NULLS NOT DISTINCT WHERE (external_id IS NOT NULL);
CREATE INDEX idx_conversations_project ON public.conversations USING btree (project_id);
CREATE INDEX idx_conversations_status ON public.conversations USING btree (status);
CREATE INDEX idx_issues_conversation ON public.github_issues USING btree (conversation_id);
CREATE INDEX idx_issues_project ON public.github_issues USING btree (project_id);
CREATE INDEX idx_issues_state ON public.github_issues USING btree (state);
CREATE INDEX idx_idempotency_keys_created ON public.idempotency_keys USING btree (created_at);
CREATE INDEX idx_messages_agent ON public.messages USING btree (agent_id);
CREATE INDEX idx_messages_conversation_created ON public.messages USING btree (conversation_id, created_at);
CREATE INDEX idx_notifications_created ON public.notifications USING btree (created_at);
CREATE INDEX idx_notifications_read ON public.notifications USING btree (user_id, is_read);
CREATE INDEX idx_notifications_user ON public.notifications USING btree (user_id);
CREATE INDEX idx_outbox_due ON public.outbox USING btree (next_attempt_at) WHERE ((delivered_at IS NULL) AND (dead_at IS NULL));
CREATE INDEX idx_person_occasion_budget ON public.person_occasions USING btree (person_id, occasion_id, budget_amount);
CREATE INDEX idx_person_occasions_occasion ON public.person_occasions USING btree (occasion_id, person_id);
CREATE INDEX idx_projects_github ON public.projects USING btree (github_repo);
CREATE INDEX idx_projects_owner ON public.projects USING btree (owner_id);
CREATE INDEX idx_prompt_snapshots_created ON public.prompt_snapshots USING btree (created_at);
CREATE INDEX idx_prompt_snapshots_reservation ON public.prompt_snapshots USING btree (reservation_id);
CREATE INDEX idx_prompt_snapshots_turn ON public.prompt_snapshots USING btree (turn_id);
CREATE INDEX idx_prompt_templates_slot ON public.prompt_templates USING btree (slot_id);
CREATE INDEX idx_prs_agent ON public.pull_requests USING btree (created_by_agent_id);
CREATE INDEX idx_prs_issue ON public.pull_requests USING btree (issue_id);
CREATE INDEX idx_prs_project ON public.pull_requests USING btree (project_id);
CREATE INDEX idx_prs_state ON public.pull_requests USING btree (state);
CREATE INDEX idx_response_ids_expires ON public.response_ids USING btree (expires_at);
CREATE INDEX idx_slots_project ON public.slots USING btree (project_id);
CREATE INDEX idx_tasks_agent ON public.tasks USING btree (assigned_to_agent_id);
CREATE UNIQUE INDEX idx_tasks_external ON public.tasks USING btree (project_id, external_id) WHERE (external_id IS NOT NULL);
CREATE INDEX idx_tasks_issue ON public.tasks USING btree (issue_id);
CREATE INDEX idx_tasks_project ON public.tasks USING btree (project_id);
CREATE INDEX idx_tasks_status_priority ON public.tasks USING btree (status, priority);
CREATE INDEX idx_templates_project ON public.templates USING btree (project_id);
CREATE INDEX idx_token_usage_agent ON ONLY public.token_usage USING btree (agent_id);
CREATE INDEX idx_token_usage_conversation ON ONLY public.token_usage USING btree (conversation_id);
CREATE INDEX idx_token_usage_date ON ONLY public.token_usage USING btree (usage_date);
CREATE INDEX idx_token_usage_occasion ON ONLY public.token_usage USING btree (occasion_id) WHERE (occasion_id IS NOT NULL);
CREATE INDEX idx_token_usage_person ON ONLY public.token_usage USING btree (person_id) WHERE (person_id IS NOT NULL);
CREATE INDEX idx_token_usage_project ON ONLY public.token_usage USING btree (project_id);
CREATE INDEX idx_token_usage_task ON ONLY public.token_usage USING btree (task_id) WHERE (task_id IS NOT NULL);
CREATE INDEX idx_token_usage_timestamp ON ONLY public.token_usage USING btree ("timestamp");
CREATE INDEX idx_turns_created ON public.turns USING btree (created_at);
CREATE INDEX idx_unsettled_calls_due ON public.unsettled_calls USING btree (next_attempt_at);
CREATE INDEX idx_webhooks_created ON public.webhooks USING btree (created_at);
CREATE INDEX idx_webhooks_processed ON public.webhooks USING btree (processed);
CREATE INDEX idx_webhooks_project ON public.webhooks USING btree (project_id);
alter table agent_memory add constraint agent_memory_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE;
alter table agent_memory add constraint agent_memory_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id);
alter table agents add constraint agents_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table api_keys add constraint api_keys_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE;
alter table api_keys add constraint api_keys_rotated_from_fkey FOREIGN KEY (rotated_from) REFERENCES api_keys(id) ON DELETE SET NULL;
alter table api_keys add constraint api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL;
alter table budgets add constraint budgets_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id);
alter table conversation_participants add constraint conversation_participants_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE;
alter table conversation_participants add constraint conversation_participants_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(id) ON DELETE CASCADE;
alter table conversations add constraint conversations_created_by_agent_id_fkey FOREIGN KEY (created_by_agent_id) REFERENCES agents(id);
alter table conversations add constraint conversations_created_by_user_id_fkey FOREIGN KEY (created_by_user_id) REFERENCES users(id);
alter table conversations add constraint conversations_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table github_issues add constraint github_issues_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(id);
alter table github_issues add constraint github_issues_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table idempotency_keys add constraint idempotency_keys_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES api_keys(id) ON DELETE CASCADE;
alter table messages add constraint messages_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE SET NULL;
alter table messages add constraint messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(id) ON DELETE CASCADE;
alter table messages add constraint messages_reply_to_id_fkey FOREIGN KEY (reply_to_id) REFERENCES messages(id);
alter table messages add constraint messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL;
alter table notifications add constraint notifications_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id);
alter table notifications add constraint notifications_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id);
alter table notifications add constraint notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;
alter table person_occasions add constraint person_occasions_occasion_id_fkey FOREIGN KEY (occasion_id) REFERENCES occasions(id) ON DELETE CASCADE;
alter table person_occasions add constraint person_occasions_person_id_fkey FOREIGN KEY (person_id) REFERENCES persons(id) ON DELETE CASCADE;
alter table projects add constraint projects_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users(id) ON DELETE CASCADE;
alter table prompt_snapshots add constraint prompt_snapshots_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE SET NULL;
alter table prompt_snapshots add constraint prompt_snapshots_template_id_fkey FOREIGN KEY (template_id) REFERENCES templates(id) ON DELETE SET NULL;
alter table prompt_snapshots add constraint prompt_snapshots_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON DELETE CASCADE;
alter table prompt_templates add constraint prompt_templates_slot_id_fkey FOREIGN KEY (slot_id) REFERENCES slots(id) ON DELETE CASCADE;
alter table prompt_templates add constraint prompt_templates_template_id_fkey FOREIGN KEY (template_id) REFERENCES templates(id) ON DELETE CASCADE;
alter table pull_requests add constraint pull_requests_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(id);
alter table pull_requests add constraint pull_requests_created_by_agent_id_fkey FOREIGN KEY (created_by_agent_id) REFERENCES agents(id);
alter table pull_requests add constraint pull_requests_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES github_issues(id);
alter table pull_requests add constraint pull_requests_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table response_ids add constraint response_ids_key_id_fkey FOREIGN KEY (key_id) REFERENCES api_keys(id) ON DELETE CASCADE;
alter table slots add constraint slots_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table tasks add constraint tasks_assigned_to_agent_id_fkey FOREIGN KEY (assigned_to_agent_id) REFERENCES agents(id) ON DELETE SET NULL;
alter table tasks add constraint tasks_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES github_issues(id) ON DELETE SET NULL;
alter table tasks add constraint tasks_pr_id_fkey FOREIGN KEY (pr_id) REFERENCES pull_requests(id) ON DELETE SET NULL;
alter table tasks add constraint tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table templates add constraint templates_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table tier_overrides add constraint tier_overrides_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
alter table token_usage add constraint token_usage_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES github_issues(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_message_id_fkey FOREIGN KEY (message_id) REFERENCES messages(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_occasion_id_fkey FOREIGN KEY (occasion_id) REFERENCES occasions(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_person_id_fkey FOREIGN KEY (person_id) REFERENCES persons(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_pull_request_id_fkey FOREIGN KEY (pull_request_id) REFERENCES pull_requests(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE SET NULL;
alter table token_usage add constraint token_usage_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL;
alter table turn_metrics add constraint turn_metrics_turn_id_fkey FOREIGN KEY (turn_id) REFERENCES turns(id) ON DELETE CASCADE;
alter table webhooks add constraint webhooks_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id) ON DELETE CASCADE;
CREATE TRIGGER agent_memory_updated_at BEFORE UPDATE ON public.agent_memory FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER agents_config AFTER INSERT OR DELETE OR TRUNCATE ON public.agents FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER agents_config_update AFTER UPDATE ON public.agents FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER agents_updated_at BEFORE UPDATE ON public.agents FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER api_keys_config AFTER INSERT OR DELETE OR TRUNCATE ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER api_keys_config_update AFTER UPDATE OF public_id, secret_hash, kind, role, agent_id, user_id, fixed_dimensions, required_dimensions, allowed_dimensions, allowed_models, expires_at, disabled_at, revoked_at, grace_until, name ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER api_keys_updated_at BEFORE UPDATE ON public.api_keys FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER budget_limits_config AFTER INSERT OR DELETE OR TRUNCATE ON public.budget_limits FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER budget_limits_config_update AFTER UPDATE ON public.budget_limits FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER budget_limits_updated_at BEFORE UPDATE ON public.budget_limits FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER budget_limits_version BEFORE INSERT OR UPDATE ON public.budget_limits FOR EACH ROW EXECUTE FUNCTION version_budget_limit();
CREATE TRIGGER budgets_config AFTER INSERT OR DELETE OR TRUNCATE ON public.budgets FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER budgets_config_update AFTER UPDATE OF agent_id, allocated_tokens ON public.budgets FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER budgets_updated_at BEFORE UPDATE ON public.budgets FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER budgets_version BEFORE INSERT OR UPDATE ON public.budgets FOR EACH ROW EXECUTE FUNCTION version_budget();
CREATE TRIGGER conversations_updated_at BEFORE UPDATE ON public.conversations FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER exchange_rates_config AFTER INSERT OR DELETE OR TRUNCATE ON public.exchange_rates FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER exchange_rates_config_update AFTER UPDATE ON public.exchange_rates FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER exchange_rates_version AFTER INSERT OR DELETE OR UPDATE ON public.exchange_rates FOR EACH ROW EXECUTE FUNCTION version_pairs_of_rate();
CREATE TRIGGER github_issues_updated_at BEFORE UPDATE ON public.github_issues FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER messages_updated_at BEFORE UPDATE ON public.messages FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER occasions_config_update AFTER UPDATE OF external_id ON public.occasions FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER occasions_updated_at BEFORE UPDATE ON public.occasions FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER person_occasions_config AFTER INSERT OR DELETE OR TRUNCATE ON public.person_occasions FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER person_occasions_config_update AFTER UPDATE OF person_id, occasion_id, budget_amount, budget_currency, version ON public.person_occasions FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER person_occasions_updated_at BEFORE UPDATE ON public.person_occasions FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER person_occasions_version BEFORE UPDATE ON public.person_occasions FOR EACH ROW EXECUTE FUNCTION version_person_occasion();
CREATE TRIGGER persons_config_update AFTER UPDATE OF external_id ON public.persons FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER persons_updated_at BEFORE UPDATE ON public.persons FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER projects_config AFTER INSERT OR DELETE OR TRUNCATE ON public.projects FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER projects_config_update AFTER UPDATE ON public.projects FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER projects_updated_at BEFORE UPDATE ON public.projects FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER pull_requests_updated_at BEFORE UPDATE ON public.pull_requests FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER settings_config AFTER INSERT OR DELETE OR TRUNCATE ON public.settings FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER settings_config_update AFTER UPDATE ON public.settings FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER settings_updated_at BEFORE UPDATE ON public.settings FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER slots_updated_at BEFORE UPDATE ON public.slots FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER tasks_updated_at BEFORE UPDATE ON public.tasks FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER templates_updated_at BEFORE UPDATE ON public.templates FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER tier_overrides_config AFTER INSERT OR DELETE OR TRUNCATE ON public.tier_overrides FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER tier_overrides_config_update AFTER UPDATE ON public.tier_overrides FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER tier_overrides_updated_at BEFORE UPDATE ON public.tier_overrides FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER tier_overrides_version AFTER INSERT OR DELETE OR UPDATE ON public.tier_overrides FOR EACH ROW EXECUTE FUNCTION version_tier_of_override();
CREATE TRIGGER tiers_config AFTER INSERT OR DELETE OR TRUNCATE ON public.tiers FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER tiers_config_update AFTER UPDATE ON public.tiers FOR EACH STATEMENT EXECUTE FUNCTION bump_config_version();
CREATE TRIGGER tiers_updated_at BEFORE UPDATE ON public.tiers FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER tiers_version BEFORE UPDATE ON public.tiers FOR EACH ROW EXECUTE FUNCTION version_tier();
CREATE TRIGGER token_usage_hours_delete AFTER DELETE ON public.token_usage REFERENCING OLD TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION move_usage_hours('-1');
CREATE TRIGGER token_usage_hours_insert AFTER INSERT ON public.token_usage REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION move_usage_hours('1');
CREATE TRIGGER token_usage_hours_truncate AFTER TRUNCATE ON public.token_usage FOR EACH STATEMENT EXECUTE FUNCTION empty_usage_hours();
CREATE TRIGGER token_usage_hours_update_from AFTER UPDATE ON public.token_usage REFERENCING OLD TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION move_usage_hours('-1');
CREATE TRIGGER token_usage_hours_update_to AFTER UPDATE ON public.token_usage REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION move_usage_hours('1');
CREATE TRIGGER users_updated_at BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION set_updated_at();
