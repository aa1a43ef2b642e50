-- Takes the flags away; the slots stay.
alter table if exists slots drop column if exists min_chars;
alter table if exists slots drop column if exists must_keep;
