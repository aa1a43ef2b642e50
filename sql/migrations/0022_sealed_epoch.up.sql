-- The last epoch whose totals were read to rebuild the ledger. What was taken out of a spool or an
-- outbox before that is not recorded after it: no counter would have it. Safe to run again.
do $$ begin
  if to_regclass('ledger_watermark') is null then
    raise exception 'The table "ledger_watermark" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0005_ledger.up.sql first, or: purser migrate up';
  end if;
end $$;

alter table ledger_watermark
  add column if not exists sealed_epoch bigint not null default 0 check (sealed_epoch >= 0);

-- The epoch that is there now was begun before anything was sealed.
update ledger_watermark set sealed_epoch = epoch where sealed_epoch < epoch;
