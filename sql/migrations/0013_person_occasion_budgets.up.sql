-- What each person may spend on each occasion. A null amount is counted without a limit.
-- Safe to run again.
do $$ begin
  if to_regclass('person_occasions') is null then
    raise exception 'The table "person_occasions" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0012_person_occasions.up.sql first, or: purser migrate up';
  end if;
end $$;

alter table person_occasions
  add column if not exists budget_amount numeric(20,9)
    constraint person_occasions_budget_amount_check check (budget_amount >= 0),
  add column if not exists budget_spent numeric(20,9) not null default 0,
  add column if not exists budget_currency varchar(3) not null default 'USD',
  add column if not exists budget_notes text;
create index if not exists idx_person_occasion_budget
  on person_occasions(person_id, occasion_id, budget_amount);

create or replace function version_person_occasion() returns trigger language plpgsql as $$
begin
  if (new.budget_amount, new.budget_currency) is distinct from
     (old.budget_amount, old.budget_currency) then
    new.version = nextval('envelope_version');
  end if;
  return new;
end $$;
create or replace trigger person_occasions_version before update on person_occasions
  for each row execute function version_person_occasion();
-- What was spent is written with every batch of rows and does not count as a change.
create or replace trigger person_occasions_config_update
  after update of person_id, occasion_id, budget_amount, budget_currency, version
  on person_occasions for each statement execute function bump_config_version();
