-- Takes the ledger's tables and the change counter away.
do $$
declare
  watched text;
begin
  foreach watched in array array['projects', 'agents', 'api_keys', 'budget_limits', 'budgets',
    'tiers', 'tier_overrides', 'settings'] loop
    if to_regclass(watched) is not null then
      execute format('drop trigger if exists %I on %I', watched || '_config', watched);
      execute format('drop trigger if exists %I on %I', watched || '_config_update', watched);
    end if;
  end loop;
end $$;
drop table if exists response_ids;
drop table if exists exchange_rates;
drop table if exists gateways;
drop table if exists outbox;
drop table if exists alerts;
drop table if exists budget_periods;
drop table if exists ledger_watermark;
drop table if exists envelope_totals;
drop function if exists bump_config_version();
drop table if exists config_version;
