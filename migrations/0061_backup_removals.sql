-- Whether retention can remove what it wants to: what cannot be removed for long fills the stores, and may have to be gone.
CREATE TABLE backup_removals (
    is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),
    -- Backups and archived WAL files that no rule keeps and that are still there: locked by a store, and for other reasons.
    locked bigint NOT NULL CHECK (locked >= 0),
    failed bigint NOT NULL CHECK (failed >= 0),
    ended_at timestamptz NOT NULL DEFAULT now(),
    -- Of the last one after which nothing was left but what is locked.
    complete_at timestamptz,
    CONSTRAINT backup_removals_complete_unless_failed CHECK (failed > 0 OR complete_at IS NOT NULL)
);
COMMENT ON TABLE backup_removals IS 'What the last removal of backups has left: one row.';
