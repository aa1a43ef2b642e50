-- Takes the figures of turns away.
drop table if exists turn_metrics;
