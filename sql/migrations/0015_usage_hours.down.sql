do $$ begin
  if to_regclass('token_usage') is not null then
    drop trigger if exists token_usage_hours_insert on token_usage;
    drop trigger if exists token_usage_hours_delete on token_usage;
    drop trigger if exists token_usage_hours_update_from on token_usage;
    drop trigger if exists token_usage_hours_update_to on token_usage;
    drop trigger if exists token_usage_hours_truncate on token_usage;
  end if;
end $$;
drop function if exists move_usage_hours();
drop function if exists empty_usage_hours();
drop table if exists usage_hours;
