-- How many tokens a byte of text makes, as providers told it of models without a public tokenizer:
-- a count for each five-hundredth of a token a byte. Safe to run again.
do $$ begin
  if to_regclass('token_usage') is null then
    raise exception 'The table "token_usage" is missing.' using errcode = 'PU001',
      hint = 'Run 0001_core of sql/migrations first, or: purser migrate up';
  end if;
end $$;

create table if not exists calibrations (
  target text not null,
  bucket smallint not null check (bucket between 0 and 500),
  seen bigint not null check (seen >= 0),
  primary key (target, bucket)
);
