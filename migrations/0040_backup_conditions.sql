-- People are told of what is wrong with backups: each record names the condition of the alert it has opened.
ALTER TABLE backup_alerts ADD COLUMN condition text;
COMMENT ON COLUMN backup_alerts.condition IS 'Of the alert that tells of it; null where the event itself has told.';
CREATE INDEX backup_alerts_condition ON backup_alerts (condition, id DESC) WHERE condition IS NOT NULL;  -- notifier

CREATE TABLE wal_archive (
    is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),
    missing_segments bigint NOT NULL CHECK (missing_segments >= 0),
    first_missing text,
    checked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT wal_archive_first_iff_missing CHECK ((missing_segments = 0) = (first_missing IS NULL))
);
COMMENT ON TABLE wal_archive IS 'What a worker has last seen of the archive of WAL in the stores: one row.';
