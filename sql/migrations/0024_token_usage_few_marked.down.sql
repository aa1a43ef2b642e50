drop index if exists idx_token_usage_task;
drop index if exists idx_token_usage_person;
drop index if exists idx_token_usage_occasion;
