-- What is known of backups, restores and drills. The stores are the truth; this is for those who look and for alarms.

CREATE TYPE backup_class AS ENUM ('base', 'full', 'tenant', 'configuration');
CREATE TYPE backup_state AS ENUM ('committed', 'failed', 'removed');

CREATE TABLE backups (
    -- As in the stores; of a failed one, as it would have been.
    id uuid PRIMARY KEY,
    class backup_class NOT NULL,
    state backup_state NOT NULL,
    -- Of tenant backups. Not a reference: a backup outlives its tenant.
    project_id uuid,
    -- Tenant backups of one snapshot share it.
    group_id uuid,
    note text,
    started_at timestamptz NOT NULL,
    -- What it holds was so then; null for failed ones.
    taken_at timestamptz,
    finished_at timestamptz NOT NULL,
    rows bigint,
    -- Before compression, and in each store.
    plain_bytes bigint,
    sealed_bytes bigint,
    -- Held by as many stores as make a backup, when it was taken.
    counts boolean,
    -- Without keys; null for failed ones.
    manifest jsonb,
    error text,
    is_protected boolean NOT NULL DEFAULT false,
    verified_at timestamptz,
    -- What the last verification found; see backup::verify.
    verification jsonb,
    -- By the last verification, whether it can be restored.
    is_good boolean,
    removed_at timestamptz,
    CONSTRAINT backups_note_length CHECK (char_length(note) <= 500),
    CONSTRAINT backups_error_iff_failed CHECK ((state = 'failed') = (error IS NOT NULL)),
    CONSTRAINT backups_manifest_unless_failed CHECK ((state = 'failed') = (manifest IS NULL)),
    CONSTRAINT backups_removed_at_iff_removed CHECK ((state = 'removed') = (removed_at IS NOT NULL)),
    CONSTRAINT backups_verified_whole CHECK (num_nulls(verified_at, verification, is_good) IN (0, 3))
);
COMMENT ON TABLE backups IS 'Every backup that was tried, as far as this database knows.';
CREATE INDEX backups_class ON backups (class, id DESC);
CREATE INDEX backups_project ON backups (project_id, id DESC) WHERE project_id IS NOT NULL;

CREATE TYPE backup_copy_state AS ENUM ('held', 'owed', 'missing', 'damaged', 'unknown');

CREATE TABLE backup_copies (
    backup_id uuid NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    store text NOT NULL,
    state backup_copy_state NOT NULL,
    -- When it was seen so.
    checked_at timestamptz NOT NULL DEFAULT now(),
    detail text,
    PRIMARY KEY (backup_id, store),
    CONSTRAINT backup_copies_store_length CHECK (char_length(store) BETWEEN 1 AND 64)
);
COMMENT ON TABLE backup_copies IS 'What each store has of a backup, when somebody last looked.';

CREATE TYPE restore_mode AS ENUM ('full', 'merge', 'point_in_time', 'drill');
CREATE TYPE restore_state AS ENUM ('running', 'succeeded', 'failed');

CREATE TABLE restores (
    id uuid PRIMARY KEY,
    -- Not a reference: a store may know backups that this database does not.
    backup_id uuid NOT NULL,
    mode restore_mode NOT NULL,
    is_dry_run boolean NOT NULL,
    state restore_state NOT NULL,
    -- Database or folder; null for drills.
    target text,
    -- Those that were asked for; empty: all.
    tenants uuid[] NOT NULL DEFAULT '{}',
    -- Who asked, in words.
    asked_by text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- Steps, checks, counts; see backup::restore.
    report jsonb,
    error text,
    CONSTRAINT restores_asked_by_length CHECK (char_length(asked_by) BETWEEN 1 AND 254),
    CONSTRAINT restores_finished_at_iff_finished CHECK ((state = 'running') = (finished_at IS NULL)),
    CONSTRAINT restores_error_iff_failed CHECK ((state = 'failed') = (error IS NOT NULL)),
    CONSTRAINT restores_report_iff_succeeded CHECK (state <> 'succeeded' OR report IS NOT NULL)
);
COMMENT ON TABLE restores IS 'Who restored what into what, and drills: what a restore would have given.';
CREATE INDEX restores_mode ON restores (mode, id DESC);
