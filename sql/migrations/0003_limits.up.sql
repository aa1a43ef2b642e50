-- What makes limits trustworthy: every change of an amount or a mode gets a higher version, by
-- which the ledger knows new from old; scope, unit and period never change. Safe to run again.
do $$ begin
  if to_regclass('budget_limits') is null or to_regclass('budgets') is null then
    raise exception 'The tables "budget_limits" and "budgets" are missing.' using errcode = 'PU001',
      hint = 'Run 0001_core.up.sql and 0002_budgets.up.sql of sql/migrations first, '
        'or: purser migrate up';
  end if;
end $$;

create sequence if not exists envelope_version;

create unique index if not exists idx_budget_limits_name on budget_limits(name) where is_active;

create or replace function version_budget_limit() returns trigger language plpgsql as $$
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
end $$;

create or replace function version_budget() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' or new.allocated_tokens <> old.allocated_tokens then
    new.version = nextval('envelope_version');
  else
    new.version = old.version;
  end if;
  return new;
end $$;

create or replace trigger budget_limits_version before insert or update on budget_limits
  for each row execute function version_budget_limit();
create or replace trigger budgets_version before insert or update on budgets
  for each row execute function version_budget();

-- Rows that were there before have no version yet.
update budget_limits set version = nextval('envelope_version') where version = 0;
update budgets set version = nextval('envelope_version') where version = 0;
