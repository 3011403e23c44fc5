-- Workers are asked to take nothing more, and to take jobs again, without ending their process.

ALTER TABLE workers
    -- Null: it may take jobs. The worker looks with each heartbeat.
    ADD COLUMN drain_asked_at timestamptz,
    ADD COLUMN drain_asked_by text,
    ADD CONSTRAINT workers_drain_asked CHECK ((drain_asked_at IS NULL) = (drain_asked_by IS NULL));
COMMENT ON COLUMN workers.drain_asked_at IS 'Since when an operator wants it to take nothing new.';
