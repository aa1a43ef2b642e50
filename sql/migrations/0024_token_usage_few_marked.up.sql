-- Before a task, a person or an occasion goes, its rows are looked for, and the foreign keys look
-- once more: without an index both read all rows there are. Most rows have none of the three, and
-- cost these indexes nothing. Safe to run again.
do $$ begin
  if to_regclass('token_usage') is null then
    raise exception 'The table "token_usage" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

create index if not exists idx_token_usage_task
  on token_usage(task_id) where task_id is not null;
create index if not exists idx_token_usage_person
  on token_usage(person_id) where person_id is not null;
create index if not exists idx_token_usage_occasion
  on token_usage(occasion_id) where occasion_id is not null;
