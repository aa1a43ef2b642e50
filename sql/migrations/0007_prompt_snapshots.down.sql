-- Takes the prompt snapshots away.
drop table if exists prompt_snapshots;
