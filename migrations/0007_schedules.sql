-- Jobs that time alone starts, and a ledger of what became of every due time.

-- What becomes of due times that nobody saw to in time.
CREATE TYPE missed_runs AS ENUM ('skip', 'once', 'all');

CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    -- Null for the system's own.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- Which kind of job, with which args, at which priority.
    kind text NOT NULL,
    args jsonb NOT NULL,
    priority smallint NOT NULL,
    -- Five or six fields, and the IANA name of the zone whose clock they speak of.
    cron text NOT NULL,
    time_zone text NOT NULL,
    missed_runs missed_runs NOT NULL,
    -- While set, due times are noted and nothing runs.
    paused_at timestamptz,
    -- Null: never again.
    next_due_at timestamptz,
    -- The key of the shipped schedule this one began as.
    shipped_key text,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- One more with each change by a person; not with ticks.
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT schedules_name_length CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT schedules_kind_form CHECK (kind ~ '^[a-z][a-z0-9_]{0,59}$'),
    CONSTRAINT schedules_priority_range CHECK (priority BETWEEN 0 AND 9),
    CONSTRAINT schedules_cron_length CHECK (char_length(cron) BETWEEN 9 AND 300),
    CONSTRAINT schedules_time_zone_length CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    CONSTRAINT schedules_args_object CHECK (jsonb_typeof(args) = 'object')
);
COMMENT ON TABLE schedules IS 'Jobs that time alone starts.';
CREATE UNIQUE INDEX schedules_name_unique_in_project ON schedules (project_id, lower(name))
    WHERE project_id IS NOT NULL;
CREATE UNIQUE INDEX schedules_name_unique_in_system ON schedules (lower(name)) WHERE project_id IS NULL;
CREATE INDEX schedules_due ON schedules (next_due_at) WHERE next_due_at IS NOT NULL;    -- ticker

CREATE TYPE tick_outcome AS ENUM (
    'fired', 'run_now', 'coalesced', 'skipped_missed', 'skipped_paused', 'failed'
);

CREATE TABLE schedule_ticks (
    schedule_id uuid NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
    -- When it was due; for a run somebody asked for, when they asked.
    due_at timestamptz NOT NULL,
    -- The tick stands for all due times from here through due_at: those of a long absence.
    covers_from timestamptz,
    outcome tick_outcome NOT NULL,
    -- Not a reference: jobs are pruned earlier than that.
    job_id uuid,
    reason text,
    decided_at timestamptz NOT NULL DEFAULT now(),
    -- Several schedulers, one fires: this is the proof.
    PRIMARY KEY (schedule_id, due_at),
    CONSTRAINT schedule_ticks_job_iff_run CHECK ((outcome IN ('fired', 'run_now')) = (job_id IS NOT NULL)),
    CONSTRAINT schedule_ticks_covers_order CHECK (covers_from <= due_at)
);
COMMENT ON TABLE schedule_ticks IS 'Every due time of every schedule, once, and what was decided about it.';
CREATE INDEX schedule_ticks_decided ON schedule_ticks (decided_at);                     -- pruner

-- What was offered once is not offered again: an operator may have removed it.
CREATE TABLE shipped_schedules (
    key text PRIMARY KEY,
    offered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE shipped_schedules IS 'Which of the schedules that come with the product were stored.';
