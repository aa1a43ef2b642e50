-- Back to the uuid: no row is lost, for the reservation's id was kept.
do $$ begin
  if exists (select from information_schema.columns where table_schema = current_schema()
    and table_name = 'prompt_snapshots' and column_name = 'reservation_id') then
    alter table prompt_snapshots drop column turn_id;
    alter table prompt_snapshots rename column reservation_id to turn_id;
    alter index if exists idx_prompt_snapshots_reservation rename to idx_prompt_snapshots_turn;
  end if;
end $$;
