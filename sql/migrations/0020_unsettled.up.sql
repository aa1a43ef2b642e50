-- Calls whose usage was counted and whose provider can be asked what it was: what is asked, of whom
-- and when. A row goes when its provider has answered, or has been asked in vain three times. Safe
-- to run again.
do $$ begin
  if to_regclass('token_usage') is null then
    raise exception 'The table "token_usage" is missing.' using errcode = 'PU001',
      hint = 'Run 0001_core of sql/migrations first, or: purser migrate up';
  end if;
end $$;

create table if not exists unsettled_calls (
  reservation_id uuid primary key,
  event jsonb not null,
  -- What the correction is booked under, once somebody has begun to book it.
  adjust_id uuid,
  attempts integer not null default 0 check (attempts >= 0),
  next_attempt_at timestamptz not null,
  last_error text,
  created_at timestamptz not null default now()
);
create index if not exists idx_unsettled_calls_due on unsettled_calls(next_attempt_at);
