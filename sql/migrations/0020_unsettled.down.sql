drop table if exists unsettled_calls;
