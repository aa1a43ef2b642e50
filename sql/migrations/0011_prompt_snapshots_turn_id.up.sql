-- The repair: `prompt_snapshots.turn_id` was a uuid (the reservation's id) where `turns.id` is a
-- bigint. Every row stays; a snapshot whose turn is not known keeps a null `turn_id`, and the
-- reservation's id moves into a column of its own. Safe to run again: mended is left as it is.
do $$ begin
  if to_regclass('prompt_snapshots') is null or to_regclass('turns') is null then
    raise exception 'The tables "prompt_snapshots" and "turns" are not both there.'
      using errcode = 'PU001',
      hint = 'Run 0001_core.up.sql and 0007_prompt_snapshots.up.sql of sql/migrations first, '
        'or: purser migrate up';
  end if;
  if (select data_type from information_schema.columns where table_schema = current_schema()
    and table_name = 'prompt_snapshots' and column_name = 'turn_id') <> 'uuid' then
    return;
  end if;
  alter table prompt_snapshots add column turn_number bigint;
  update prompt_snapshots s set turn_number = t.id from turns t where t.reservation_id = s.turn_id;
  drop index if exists idx_prompt_snapshots_turn;
  alter table prompt_snapshots rename column turn_id to reservation_id;
  alter table prompt_snapshots rename column turn_number to turn_id;
  alter table prompt_snapshots add constraint prompt_snapshots_turn_id_fkey
    foreign key (turn_id) references turns(id) on delete cascade;
end $$;
create index if not exists idx_prompt_snapshots_turn on prompt_snapshots(turn_id);
create index if not exists idx_prompt_snapshots_reservation on prompt_snapshots(reservation_id);
