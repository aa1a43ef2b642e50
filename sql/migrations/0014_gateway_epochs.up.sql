-- The epoch up to which a gateway has brought its spool and its holds over: what a rebuild of the
-- ledger waits for. Safe to run again.
do $$ begin
  if to_regclass('gateways') is null then
    raise exception 'The table "gateways" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0005_ledger.up.sql first, or: purser migrate up';
  end if;
end $$;

alter table gateways add column if not exists epoch bigint not null default 0;
