-- Takes exactly the four columns away (and what stands on them); the pairs stay.
drop trigger if exists person_occasions_config_update on person_occasions;
drop trigger if exists person_occasions_version on person_occasions;
drop function if exists version_person_occasion();
drop index if exists idx_person_occasion_budget;
alter table if exists person_occasions
  drop column if exists budget_notes,
  drop column if exists budget_currency,
  drop column if exists budget_spent,
  drop column if exists budget_amount;
