-- What an operator's request with an Idempotency-Key was answered: the row is claimed in the
-- transaction of the change, and the answer, sealed with the caller's own key, follows. Safe to
-- run again.
do $$ begin
  if to_regclass('api_keys') is null then
    raise exception 'The table "api_keys" is missing.' using errcode = 'PU001',
      hint = 'Run 0001_core to 0004_access of sql/migrations first, or: purser migrate up';
  end if;
end $$;

create table if not exists idempotency_keys (
  actor_id uuid not null references api_keys(id) on delete cascade,
  key varchar(255) not null,
  request_hash bytea not null check (octet_length(request_hash) = 32),
  status smallint,
  answer bytea,
  created_at timestamptz not null default now(),
  primary key (actor_id, key),
  constraint idempotency_keys_answer_check check ((status is null) = (answer is null))
);
create index if not exists idx_idempotency_keys_created on idempotency_keys(created_at);
