-- Where there is a read replica: up to which position of the log somebody has written, so that their own reads never go
-- back behind it. A crash loses it, and with it at most a moment's guarantee.
CREATE UNLOGGED TABLE last_writes (
    -- Session or API key.
    credential_id uuid PRIMARY KEY,
    position pg_lsn NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE last_writes IS 'How far a replica must be before it may answer somebody.';
CREATE INDEX last_writes_written_at ON last_writes (written_at);                        -- pruner
