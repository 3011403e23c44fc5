-- Jobs as their callers and operators see them: requests that may be repeated, unique jobs, batches, what people
-- did to a job, dead jobs by cause, lists by any filter, and the books that must balance.
--
-- Adding the stored column rewrites `jobs` under an exclusive lock: a few seconds per million rows.

-- Equal for failures that differ in numbers, ids, names of machines and quoted texts only: every word with a digit
-- in it, and everything in quotes, counts as the same. Reads the first 2,000 characters.
CREATE FUNCTION error_fingerprint(kind text, error text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(md5(kind || ' ' || regexp_replace(
    left(coalesce(error, ''), 2000),
    '"[^"]*"|''[^'']*''|`[^`]*`|[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*', '#', 'g')), 16);

-- In which states a job keeps others with its unique key away.
CREATE TYPE unique_while AS ENUM ('unfinished', 'unfinished_or_completed', 'kept');

CREATE TABLE batches (
    id uuid PRIMARY KEY,
    -- Null for batches of the system itself.
    project_id uuid REFERENCES projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- How many it was made of.
    jobs integer NOT NULL,
    -- The job to accept once all are final, if any: {id, kind, priority, args, attempts_max}.
    completion jsonb,
    created_by uuid REFERENCES users (id),
    request_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    cancel_requested_at timestamptz,
    -- When all jobs were final for the first time. What is re-driven later does not open the batch again.
    finished_at timestamptz,
    -- How they ended; jobs themselves go with retention, these figures stay as long as the batch.
    completed integer,
    cancelled integer,
    dead integer,
    CONSTRAINT batches_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT batches_jobs_range CHECK (jobs BETWEEN 1 AND 10000),
    CONSTRAINT batches_figures_iff_finished CHECK (
        num_nulls(finished_at, completed, cancelled, dead) IN (0, 4)
    )
);
COMMENT ON TABLE batches IS 'Jobs accepted together, with what follows when all are final.';
CREATE INDEX batches_project ON batches (project_id, id DESC);
CREATE INDEX batches_unfinished ON batches (id) WHERE finished_at IS NULL;          -- finisher
CREATE INDEX batches_finished ON batches (finished_at) WHERE finished_at IS NOT NULL; -- pruner

ALTER TABLE jobs
    ADD COLUMN batch_id uuid REFERENCES batches (id),
    -- With its period in front, see store::jobs::unique. Unique per kind and project while `unique_while` says so.
    ADD COLUMN unique_key text,
    ADD COLUMN unique_while unique_while,
    -- Only of dead jobs.
    ADD COLUMN error_fingerprint text
        GENERATED ALWAYS AS (CASE WHEN state = 'dead' THEN error_fingerprint(kind, error) END) STORED,
    ADD CONSTRAINT jobs_unique_key_with_while CHECK ((unique_key IS NULL) = (unique_while IS NULL));

CREATE UNIQUE INDEX jobs_unique
    ON jobs (kind, unique_key, coalesce(project_id, '00000000-0000-0000-0000-000000000000'::uuid))
    WHERE unique_key IS NOT NULL AND (
        unique_while = 'kept'
        OR state IN ('scheduled', 'available', 'running')
        OR (unique_while = 'unfinished_or_completed' AND state = 'completed'));

-- Lists merge one range per kind and state (see store::jobs::list), so two indexes serve every combination of
-- filters: for a project, and for all of them. Both also for the counts that must balance.
CREATE INDEX jobs_list ON jobs (kind, state, id DESC);
CREATE INDEX jobs_list_project ON jobs (project_id, kind, state, id DESC);
DROP INDEX jobs_project;
-- These exist for few rows only and cost nothing otherwise.
CREATE INDEX jobs_batch ON jobs (batch_id, state, id DESC) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_dead ON jobs (error_fingerprint, id DESC) WHERE state = 'dead';
CREATE INDEX jobs_dead_project ON jobs (project_id, error_fingerprint, id DESC) WHERE state = 'dead';

CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key text NOT NULL,
    -- SHA-256 of method, path and body.
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    location text,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_fingerprint_length CHECK (octet_length(fingerprint) = 32)
);
COMMENT ON TABLE idempotency_keys IS 'Answers to requests that carried an Idempotency-Key, written in the transaction of the change they answer.';
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);          -- pruner

CREATE TYPE job_event AS ENUM ('cancel_requested', 're_driven', 'made_due', 'phase');

-- Most of a job's history is in its row and its attempts already; here is only what is not.
CREATE TABLE job_events (
    job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    id bigint GENERATED ALWAYS AS IDENTITY,
    event job_event NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- Of the attempt, for phases.
    fence bigint,
    -- The user who asked; null: somebody with a shell, or the system.
    by_user uuid,
    detail text,
    PRIMARY KEY (job_id, id)
);
COMMENT ON TABLE job_events IS 'What happened to a job that neither its row nor its attempts tell.';

-- The books: one row per change, folded into one row from time to time. Rows are only inserted and deleted, so
-- nobody waits for anybody. sum(accepted) - sum(removed) is the number of rows that `jobs` must have.
CREATE TABLE job_ledger (
    accepted bigint NOT NULL,
    removed bigint NOT NULL,
    CONSTRAINT job_ledger_counts_up CHECK (accepted >= 0 AND removed >= 0)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE job_ledger IS 'How many jobs were ever accepted, and removed by retention or by request.';
INSERT INTO job_ledger (accepted, removed) SELECT count(*), 0 FROM jobs;

-- By a trigger, whoever inserts: acceptance cannot be forgotten. Removal is booked by the code that is meant to
-- remove, so that a row that went any other way is missed.
CREATE FUNCTION book_accepted_jobs() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_ledger (accepted, removed) SELECT count(*), 0 FROM accepted_jobs HAVING count(*) > 0;
    RETURN NULL;
END
$$;
CREATE TRIGGER jobs_accepted AFTER INSERT ON jobs
    REFERENCING NEW TABLE AS accepted_jobs FOR EACH STATEMENT EXECUTE FUNCTION book_accepted_jobs();
