-- Takes the versions' triggers and sequence away; the limits and their last versions stay.
drop trigger if exists budget_limits_version on budget_limits;
drop trigger if exists budgets_version on budgets;
drop function if exists version_budget_limit();
drop function if exists version_budget();
drop index if exists idx_budget_limits_name;
drop sequence if exists envelope_version;
