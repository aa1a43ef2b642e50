alter table if exists ledger_watermark drop column if exists sealed_epoch;
