-- What stays open of a record after a part payment: an open item of the next run, though its match is confirmed.

ALTER TABLE matches
    ADD COLUMN open_side record_side,
    -- Minor units, not 0, with the sign that the side's file gives such amounts.
    ADD COLUMN open_amount bigint,
    ADD CONSTRAINT matches_open_whole CHECK ((open_side IS NULL) = (open_amount IS NULL));
CREATE INDEX matches_open ON matches (job_id, ordinal) WHERE open_side IS NOT NULL;
