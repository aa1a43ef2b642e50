alter table if exists gateways drop column if exists epoch;
