-- Whose a turn is are plain ids: five checks a call less. The rows of token_usage keep their
-- foreign keys, and a turn finds its row by the reservation. Safe to run again.
do $$ begin
  if to_regclass('turns') is null then
    raise exception 'The table "turns" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0001_core.up.sql first, or: purser migrate up';
  end if;
end $$;

alter table turns
  drop constraint if exists turns_user_id_fkey,
  drop constraint if exists turns_agent_id_fkey,
  drop constraint if exists turns_project_id_fkey,
  drop constraint if exists turns_conversation_id_fkey,
  drop constraint if exists turns_task_id_fkey;
