-- How each store of backups was when a worker last looked, for those who have no way to the stores themselves.

CREATE TABLE backup_stores (
    name text PRIMARY KEY,
    kind text NOT NULL,
    -- In the order in which they are read.
    position smallint NOT NULL,
    is_reachable boolean NOT NULL,
    -- 0 to 1, where the store says so.
    share_used double precision,
    owed_objects bigint NOT NULL,
    owed_bytes bigint NOT NULL,
    -- Counted now and then.
    objects bigint,
    bytes bigint,
    error text,
    checked_at timestamptz NOT NULL,
    CONSTRAINT backup_stores_name_length CHECK (char_length(name) BETWEEN 1 AND 64)
);
COMMENT ON TABLE backup_stores IS 'The stores of backups, as a worker last saw them.';
