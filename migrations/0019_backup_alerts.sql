-- What is wrong with backups, from when to when.

CREATE TYPE backup_alert_severity AS ENUM ('warning', 'critical');

CREATE TABLE backup_alerts (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    -- Of which store or kind of backup; may be empty.
    subject text NOT NULL,
    severity backup_alert_severity NOT NULL,
    message text NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT now(),
    -- When somebody last found it so.
    seen_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    CONSTRAINT backup_alerts_acknowledged_by_somebody CHECK (num_nulls(acknowledged_at, acknowledged_by) IN (0, 2))
);
COMMENT ON TABLE backup_alerts IS 'Conditions of backups that need somebody, open until they have ended.';
CREATE UNIQUE INDEX backup_alerts_open ON backup_alerts (kind, subject) WHERE resolved_at IS NULL;
