-- Takes the reports away; the snapshots stay.
alter table if exists prompt_snapshots drop column if exists budget_report;
