do $$ begin
  if to_regclass('turns') is not null then
    create index if not exists idx_turns_agent on turns(agent_id);
    create index if not exists idx_turns_conversation on turns(conversation_id);
    create index if not exists idx_turns_project on turns(project_id);
  end if;
  if to_regclass('turn_metrics') is not null then
    create index if not exists idx_turn_metrics_created on turn_metrics(created_at);
  end if;
end $$;
