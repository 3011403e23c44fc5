-- The life of a job. Postgres is the truth; the broker only carries doorbells.

CREATE TYPE job_state AS ENUM ('scheduled', 'available', 'running', 'completed', 'cancelled', 'dead');

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    queue text NOT NULL,
    -- Null for jobs of the system itself.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    state job_state NOT NULL,
    -- 0 (last) to 9 (first).
    priority smallint NOT NULL,
    args jsonb NOT NULL,
    -- Earliest start. In the past for available jobs.
    due_at timestamptz NOT NULL DEFAULT now(),
    -- Counted attempts so far; snoozes and hand-backs are not counted.
    attempt integer NOT NULL DEFAULT 0,
    attempts_max integer NOT NULL,
    -- Fencing token: one more with each lease, never reset. Only the holder of the current value may write.
    -- A column and not a sequence: cached sequences run backwards across connections.
    fence bigint NOT NULL DEFAULT 0,
    lease_worker text,
    lease_expires_at timestamptz,
    -- When the last doorbell was asked for; an available job that is not acquired is rung again.
    rung_at timestamptz NOT NULL DEFAULT now(),
    cancel_requested_at timestamptz,
    progress jsonb,
    result jsonb,
    -- The last failure, as the operator should read it.
    error text,
    created_by uuid REFERENCES users (id),
    -- The HTTP request that caused the job; repeated in every log line of its attempts.
    request_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT jobs_kind_form CHECK (kind ~ '^[a-z][a-z0-9_]{0,59}$'),
    CONSTRAINT jobs_priority_range CHECK (priority BETWEEN 0 AND 9),
    CONSTRAINT jobs_attempts_max_range CHECK (attempts_max BETWEEN 1 AND 100),
    CONSTRAINT jobs_lease_iff_running CHECK (
        (state = 'running') = (lease_expires_at IS NOT NULL)
        AND (state = 'running') = (lease_worker IS NOT NULL)
    ),
    CONSTRAINT jobs_finished_at_iff_finished CHECK (
        (state IN ('completed', 'cancelled', 'dead')) = (finished_at IS NOT NULL)
    )
-- Updates stay on their page: leases are renewed often.
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE jobs IS 'Every job from acceptance to its end. State changes only in shared::store::jobs.';

-- One partial index per reader, and no other index on a column that changes: each costs every state change.
CREATE INDEX jobs_scheduled ON jobs (due_at) WHERE state = 'scheduled';                         -- stager
CREATE INDEX jobs_available ON jobs (queue, rung_at) WHERE state = 'available';                 -- rescuer, depth
CREATE INDEX jobs_running ON jobs (lease_expires_at) WHERE state = 'running';                   -- rescuer
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('completed', 'cancelled', 'dead'); -- pruner
CREATE INDEX jobs_project ON jobs (project_id, kind, id DESC);                                  -- lists

CREATE TYPE attempt_outcome AS ENUM (
    'completed', 'retried', 'snoozed', 'cancelled', 'dead', 'handed_back', 'lease_expired'
);

CREATE TABLE attempts (
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    fence bigint NOT NULL,
    attempt integer NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome attempt_outcome,
    error text,
    PRIMARY KEY (job_id, fence),
    CONSTRAINT attempts_outcome_iff_finished CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
COMMENT ON TABLE attempts IS 'Every lease a job ever had, and how it ended.';

-- Rows are inserted and deleted, never updated: an index on a changing column would keep dead rows in the
-- relay's way. A held snapshot (a dump) does the same, hence the eager vacuum.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL,
    queue text NOT NULL,
    priority smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE outbox IS 'Doorbells the broker has not confirmed yet. Born in the transaction that made the job available.';
CREATE INDEX outbox_order ON outbox (queue, priority DESC, id);
CREATE INDEX outbox_job ON outbox (job_id);
