-- Which slots must stay, and how much of them at least. Safe to run again.
do $$ begin
  if to_regclass('slots') is null then
    raise exception 'The table "slots" is missing.' using errcode = 'PU001',
      hint = 'Run sql/migrations/0006_slots_templates.up.sql first, or: purser migrate up';
  end if;
  if exists (select from information_schema.columns where table_schema = current_schema()
    and table_name = 'slots' and column_name = 'must_keep') then
    return;
  end if;
  alter table slots add column must_keep boolean not null default false;
  alter table slots add column min_chars integer not null default 0
    constraint slots_min_chars_check check (min_chars >= 0);
  -- Only where the columns are new: what an operator has set since is not touched.
  update slots set must_keep = true, min_chars = 400 where category = 'system';
  update slots set must_keep = true, min_chars = 200 where category in ('rules', 'input');
end $$;
