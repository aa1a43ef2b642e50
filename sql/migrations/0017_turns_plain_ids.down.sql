-- What an id meant may be gone by now: such an id goes too, as the foreign key would have it.
do $$
declare
  target record;
begin
  if to_regclass('turns') is null then return; end if;
  for target in select * from (values ('user_id', 'users'), ('agent_id', 'agents'),
    ('project_id', 'projects'), ('conversation_id', 'conversations'), ('task_id', 'tasks'))
    as t(name, of_table) loop
    execute format('alter table turns drop constraint if exists %I',
      'turns_' || target.name || '_fkey');
    execute format('update turns t set %1$I = null where %1$I is not null
      and not exists (select from %2$I r where r.id = t.%1$I)', target.name, target.of_table);
    execute format('alter table turns add foreign key (%I) references %I(id) on delete set null',
      target.name, target.of_table);
  end loop;
end $$;
