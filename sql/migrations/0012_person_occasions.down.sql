-- Takes the pairs of person and occasion away; persons and occasions stay.
drop table if exists person_occasions;
