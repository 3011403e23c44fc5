-- Schedules of reconciliations may take the newest upload whose name fits, and say which files they took.

ALTER TYPE tick_outcome ADD VALUE 'skipped_nothing_new';

ALTER TABLE schedule_ticks
    -- {"left": {source_id, file_id, file_name}, "right": {…}}, of ticks that started a reconciliation.
    ADD COLUMN took jsonb;
COMMENT ON COLUMN schedule_ticks.took IS 'The files that the run takes. They may be gone by now.';
ALTER TABLE schedules
    ADD COLUMN last_took jsonb;
COMMENT ON COLUMN schedules.last_took IS 'What the last run took, in the form of schedule_ticks.took: what is newer is new. Outlives the ticks.';
