-- What was trimmed from a prompt, and why. Safe to run again.
do $$ begin
  if to_regclass('prompt_snapshots') is null then
    raise exception 'The table "prompt_snapshots" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0007_prompt_snapshots.up.sql first, or: purser migrate up';
  end if;
end $$;
alter table prompt_snapshots add column if not exists budget_report jsonb;
