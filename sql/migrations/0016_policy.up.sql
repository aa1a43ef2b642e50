-- Tiers get versions as limits have them; a rate, a tier's override or the name by which callers
-- know a person or occasion counts as a change wherever it has effect. Safe to run again.
do $$ begin
  if to_regclass('tiers') is null or to_regclass('exchange_rates') is null
    or to_regclass('person_occasions') is null then
    raise exception 'The tables "tiers", "exchange_rates" and "person_occasions" are not all there.'
      using errcode = 'PU001',
      hint = 'Run 0001_core to 0013_person_occasion_budgets of sql/migrations first, '
        'or: purser migrate up';
  end if;
end $$;

alter table tiers add column if not exists version bigint not null
  default nextval('envelope_version');

create or replace function version_tier() returns trigger language plpgsql as $$
begin
  if (new.access_level, new.allowed_models, new.default_limits) is distinct from
     (old.access_level, old.allowed_models, old.default_limits) then
    new.version = nextval('envelope_version');
  end if;
  return new;
end $$;
create or replace trigger tiers_version before update on tiers
  for each row execute function version_tier();

-- An override that goes must not bring an older version back: the tier itself counts on.
create or replace function version_tier_of_override() returns trigger language plpgsql as $$
begin
  update tiers set version = nextval('envelope_version')
  where tier in (coalesce(new.tier, old.tier), coalesce(old.tier, new.tier));
  return null;
end $$;
create or replace trigger tier_overrides_version after insert or update or delete on tier_overrides
  for each row execute function version_tier_of_override();

create or replace function version_pairs_of_rate() returns trigger language plpgsql as $$
begin
  update person_occasions set version = nextval('envelope_version')
  where budget_currency in
    (coalesce(new.currency, old.currency), coalesce(old.currency, new.currency));
  return null;
end $$;
create or replace trigger exchange_rates_version after insert or update or delete on exchange_rates
  for each row execute function version_pairs_of_rate();

create or replace trigger persons_config_update after update of external_id on persons
  for each statement execute function bump_config_version();
create or replace trigger occasions_config_update after update of external_id on occasions
  for each statement execute function bump_config_version();
