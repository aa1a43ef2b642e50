-- Prompts made of slots: a template is an ordered list of them. Safe to run again.
do $$ begin
  if to_regclass('projects') is null then
    raise exception 'The table "projects" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

create table if not exists slots (
  id uuid primary key default gen_random_uuid(),
  project_id uuid references projects(id) on delete cascade,
  key varchar(100) not null,
  category varchar(50) not null default 'context',
  priority integer not null default 0,
  source varchar(30) not null default 'text' check (source in (
    'text', 'system_prompt', 'rules_file', 'agent_memory', 'request', 'conversation')),
  content text,
  soft_limit_chars integer check (soft_limit_chars > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique nulls not distinct (project_id, key)
);
create index if not exists idx_slots_project on slots(project_id);
create or replace trigger slots_updated_at before update on slots
  for each row execute function set_updated_at();

create table if not exists templates (
  id uuid primary key default gen_random_uuid(),
  project_id uuid references projects(id) on delete cascade,
  name varchar(100) not null,
  description text,
  max_prompt_tokens bigint check (max_prompt_tokens > 0),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique nulls not distinct (project_id, name)
);
create index if not exists idx_templates_project on templates(project_id);
create or replace trigger templates_updated_at before update on templates
  for each row execute function set_updated_at();

-- Which slots a template has, in which order.
create table if not exists prompt_templates (
  template_id uuid not null references templates(id) on delete cascade,
  slot_id uuid not null references slots(id) on delete cascade,
  position integer not null check (position >= 0),
  primary key (template_id, slot_id),
  unique (template_id, position) deferrable initially immediate
);
create index if not exists idx_prompt_templates_slot on prompt_templates(slot_id);

-- The slots that every project has.
insert into slots (key, category, priority, source) values
  ('system', 'system', 100, 'system_prompt'),
  ('rules', 'rules', 80, 'rules_file'),
  ('memory', 'memory', 40, 'agent_memory'),
  ('history', 'history', 20, 'conversation'),
  ('input', 'input', 100, 'request')
on conflict do nothing;
