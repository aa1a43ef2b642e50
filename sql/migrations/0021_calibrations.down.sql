drop table if exists calibrations;
