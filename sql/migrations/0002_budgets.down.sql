-- Takes the token envelopes away.
drop table if exists budgets;
