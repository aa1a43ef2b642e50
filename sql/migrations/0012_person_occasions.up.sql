-- Which person takes part in which occasion. Safe to run again.
do $$ begin
  if to_regclass('persons') is null or to_regclass('occasions') is null
    or to_regclass('config_version') is null then
    raise exception 'The tables "persons", "occasions" and "config_version" are not all there.'
      using errcode = 'PU001',
      hint = 'Run 0001_core to 0005_ledger of sql/migrations first, or: purser migrate up';
  end if;
end $$;

create table if not exists person_occasions (
  id uuid primary key default gen_random_uuid(),
  person_id uuid not null references persons(id) on delete cascade,
  occasion_id uuid not null references occasions(id) on delete cascade,
  version bigint not null default nextval('envelope_version'),
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  unique (person_id, occasion_id)
);
-- "All of an occasion" cannot use an index led by the person.
create index if not exists idx_person_occasions_occasion
  on person_occasions(occasion_id, person_id);
create or replace trigger person_occasions_updated_at before update on person_occasions
  for each row execute function set_updated_at();
create or replace trigger person_occasions_config
  after insert or delete or truncate on person_occasions
  for each statement execute function bump_config_version();
