-- Indexes of turns and their figures that nothing reads: whose a turn is is asked of its row in
-- token_usage, which has them all. Four entries a call less. Safe to run again.
do $$ begin
  if to_regclass('turn_metrics') is null then
    raise exception 'The table "turn_metrics" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0010_turn_metrics.up.sql first, or: purser migrate up';
  end if;
end $$;

drop index if exists idx_turns_agent;
drop index if exists idx_turns_conversation;
drop index if exists idx_turns_project;
drop index if exists idx_turn_metrics_created;
