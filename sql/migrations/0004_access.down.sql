-- Takes keys, tiers, settings and the audit log away.
drop table if exists audit_log;
drop function if exists refuse_audit_change();
drop table if exists settings;
drop table if exists tier_overrides;
drop table if exists tiers;
drop table if exists api_keys;
