-- Takes slots and templates away.
drop table if exists prompt_templates;
drop table if exists templates;
drop table if exists slots;
