-- How many tokens a byte of text makes, as providers told it of models without a public tokenizer:
-- a count for each five-hundredth of a token a byte. Needs nothing. Safe to run again.
create table if not exists calibrations (
  target text not null,
  bucket smallint not null check (bucket between 0 and 500),
  seen bigint not null check (seen >= 0),
  primary key (target, bucket)
);
