drop trigger if exists occasions_config_update on occasions;
drop trigger if exists persons_config_update on persons;
drop trigger if exists exchange_rates_version on exchange_rates;
drop trigger if exists tier_overrides_version on tier_overrides;
drop trigger if exists tiers_version on tiers;
drop function if exists version_pairs_of_rate();
drop function if exists version_tier_of_override();
drop function if exists version_tier();
alter table if exists tiers drop column if exists version;
