-- Telling people and machines what happened. A notification is one row in the transaction of what it tells of; the
-- notifier addresses it afterwards: to whom, over which channels, when. Each delivery is a row, and a job if it leaves.

CREATE TYPE notification_severity AS ENUM ('info', 'warning', 'critical');
CREATE TYPE notification_channel AS ENUM ('email', 'sms', 'slack', 'pagerduty', 'webhook');
CREATE TYPE notification_mode AS ENUM ('off', 'at_once', 'hourly', 'daily');
CREATE TYPE delivery_state AS ENUM (
    -- A job will send it.
    'waiting',
    -- For the end of quiet hours, or for a digest.
    'held',
    'sent',
    -- Told in a digest, which is a notification of its own.
    'digested',
    -- The address does not exist, or does not take mail from us.
    'bounced',
    -- Given up after a day, or refused for good.
    'failed',
    -- Never tried: the address bounced before.
    'suppressed'
);

CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    -- Null: of the system itself.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    -- `job.dead`: the table of them is shared::notification::EventKind.
    event text COLLATE "C" NOT NULL,
    -- The event with all it carries; see shared::notification::Event.
    data jsonb NOT NULL,
    -- Written when it is addressed.
    severity notification_severity,
    title text,
    says text,
    -- The same place in the pages, without the host.
    link text,
    created_at timestamptz NOT NULL DEFAULT now(),
    addressed_at timestamptz,
    -- The one that tells of this one, too: many jobs that die at once are one notification.
    told_by uuid,
    CONSTRAINT notifications_title_length CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT notifications_says_length CHECK (char_length(says) <= 4000),
    CONSTRAINT notifications_told CHECK (addressed_at IS NOT NULL OR (title IS NULL AND told_by IS NULL))
);
COMMENT ON TABLE notifications IS 'What somebody should know, written in the transaction in which it happened.';
CREATE INDEX notifications_unaddressed ON notifications (id) WHERE addressed_at IS NULL;           -- notifier
CREATE INDEX notifications_told ON notifications (event, project_id, addressed_at DESC)
    WHERE told_by IS NULL AND event = 'job.dead';                                                  -- notifier
CREATE INDEX notifications_project ON notifications (project_id, id DESC) WHERE project_id IS NOT NULL;

CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel notification_channel NOT NULL,
    -- Address, telephone number, id of a webhook; `-` for the one Slack and PagerDuty of an installation.
    recipient text NOT NULL,
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    state delivery_state NOT NULL,
    -- Of held ones: when they go out, alone or in a digest.
    due_at timestamptz,
    job_id uuid,
    -- Tries that came to an answer or to none.
    attempts integer NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    -- However often a notification is addressed, each recipient gets it once per channel.
    CONSTRAINT deliveries_once UNIQUE (notification_id, channel, recipient),
    CONSTRAINT deliveries_recipient_length CHECK (char_length(recipient) BETWEEN 1 AND 254),
    CONSTRAINT deliveries_due_at_iff_held CHECK ((state = 'held') = (due_at IS NOT NULL)),
    CONSTRAINT deliveries_job_while_waiting CHECK (state <> 'waiting' OR job_id IS NOT NULL),
    CONSTRAINT deliveries_finished_at_iff_final CHECK ((state IN ('waiting', 'held')) = (finished_at IS NULL))
);
COMMENT ON TABLE deliveries IS 'One notification to one recipient over one channel that leaves the system.';
CREATE INDEX deliveries_held ON deliveries (due_at) WHERE state = 'held';                          -- notifier
CREATE INDEX deliveries_waiting ON deliveries (channel, job_id) WHERE state = 'waiting';           -- notifier, backlog
CREATE INDEX deliveries_recipient ON deliveries (channel, recipient, id DESC);                     -- lists

CREATE TABLE inbox (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    notification_id uuid NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    read_at timestamptz,
    PRIMARY KEY (user_id, notification_id)
);
COMMENT ON TABLE inbox IS 'What each person finds in the pages, until it is past its retention.';
CREATE INDEX inbox_unread ON inbox (user_id, notification_id) WHERE read_at IS NULL;
CREATE INDEX inbox_notification ON inbox (notification_id);

CREATE TABLE mail_bounces (
    -- In lower case.
    address text PRIMARY KEY,
    -- What the mail server said.
    says text NOT NULL,
    bounced_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail_bounces IS 'Addresses that get no mail until somebody clears them.';

CREATE TABLE notification_settings (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- E.164: `+49301234567`.
    phone text,
    time_zone text NOT NULL DEFAULT 'UTC',
    -- From one time of day to another, over midnight if need be.
    quiet_from time,
    quiet_to time,
    -- When daily digests go out.
    digest_at time NOT NULL DEFAULT '08:00',
    CONSTRAINT notification_settings_phone CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT notification_settings_quiet CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);
CREATE TABLE notification_preferences (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    event text COLLATE "C" NOT NULL,
    -- `inbox`, `email` or `sms`.
    channel text COLLATE "C" NOT NULL,
    mode notification_mode NOT NULL,
    PRIMARY KEY (user_id, event, channel)
);
COMMENT ON TABLE notification_preferences IS 'Where somebody wants something else than the defaults of an event.';

CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    -- Null: gets the events of the system itself.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    url text NOT NULL,
    description text NOT NULL,
    -- Empty: all.
    events text[] NOT NULL DEFAULT '{}',
    -- Sealed with the key of the installation.
    secret bytea NOT NULL,
    -- After a change of the secret the old one signs, too, until then.
    previous_secret bytea,
    previous_until timestamptz,
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The first failure since the last success.
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_for text,
    CONSTRAINT webhooks_url_length CHECK (char_length(url) BETWEEN 8 AND 2000),
    CONSTRAINT webhooks_description_length CHECK (char_length(description) <= 200),
    CONSTRAINT webhooks_events_max CHECK (cardinality(events) <= 50),
    CONSTRAINT webhooks_previous CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CONSTRAINT webhooks_disabled CHECK ((disabled_at IS NULL) = (disabled_for IS NULL))
);
COMMENT ON TABLE webhooks IS 'Addresses of other systems, which get signed requests (Standard Webhooks).';
CREATE INDEX webhooks_project ON webhooks (project_id, id);

CREATE TABLE webhook_attempts (
    delivery_id uuid NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    attempt integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- Null: no answer came.
    status smallint,
    duration_ms integer NOT NULL,
    error text,
    PRIMARY KEY (delivery_id, attempt)
);
COMMENT ON TABLE webhook_attempts IS 'Every request to a webhook and what came of it.';

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    event text COLLATE "C" NOT NULL,
    severity notification_severity NOT NULL,
    says text NOT NULL,
    -- Over which it was told.
    channels text[] NOT NULL DEFAULT '{}',
    -- The condition: while an alert of it is open, more of the same are occurrences of that one.
    condition text NOT NULL,
    occurrences integer NOT NULL DEFAULT 1,
    opened_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by uuid REFERENCES users (id) ON DELETE SET NULL,
    resolved_at timestamptz,
    CONSTRAINT alerts_says_length CHECK (char_length(says) <= 4000)
);
COMMENT ON TABLE alerts IS 'Conditions that somebody has to look at, from their first occurrence until they are over.';
CREATE UNIQUE INDEX alerts_open ON alerts (condition) WHERE resolved_at IS NULL;
CREATE INDEX alerts_project ON alerts (project_id, id DESC);

-- Ordered by time, like the ids that the program makes.
CREATE FUNCTION new_notification_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (left(replace(first_id_at(clock_timestamp())::text, '-', ''), 12) || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

-- However a job dies: by its body, its last attempt, or a silent worker. Jobs that carry notifications tell nobody, or
-- a dead mail server would be told of by mail.
CREATE FUNCTION tell_of_dead_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notifications (id, project_id, event, data)
    VALUES (new_notification_id(), NEW.project_id, 'job.dead', jsonb_build_object(
        'type', 'job.dead', 'job_id', NEW.id, 'kind', NEW.kind, 'attempts', NEW.attempt, 'jobs', 1,
        'error', left(NEW.error, 1000)));
    RETURN NULL;
END
$$;
CREATE TRIGGER jobs_dead AFTER UPDATE OF state ON jobs
    FOR EACH ROW WHEN (NEW.state = 'dead' AND OLD.state <> 'dead'
                       AND NEW.kind NOT IN ('email', 'webhook', 'notification'))
    EXECUTE FUNCTION tell_of_dead_job();

CREATE FUNCTION tell_of_bad_backup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'failed' THEN
        INSERT INTO notifications (id, project_id, event, data)
        VALUES (new_notification_id(), NULL, 'backup.failed', jsonb_build_object(
            'type', 'backup.failed', 'backup_id', NEW.id, 'class', NEW.class, 'error', left(NEW.error, 1000)));
    ELSE
        INSERT INTO notifications (id, project_id, event, data)
        VALUES (new_notification_id(), NULL, 'backup.verification_failed', jsonb_build_object(
            'type', 'backup.verification_failed', 'backup_id', NEW.id, 'class', NEW.class));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER backups_failed AFTER INSERT ON backups
    FOR EACH ROW WHEN (NEW.state = 'failed') EXECUTE FUNCTION tell_of_bad_backup();
CREATE TRIGGER backups_not_good AFTER UPDATE OF is_good ON backups
    FOR EACH ROW WHEN (NEW.is_good IS FALSE AND OLD.is_good IS DISTINCT FROM FALSE AND NEW.state <> 'failed')
    EXECUTE FUNCTION tell_of_bad_backup();
