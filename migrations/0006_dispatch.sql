-- Who runs when: fairness between tenants, limits on how many run at once, and pauses. A worker of an older version
-- knows no limit and no pause: both hold once the last one is gone.

-- What a job must not run beside, by the words of whoever enqueues it: "backup:main".
ALTER TABLE jobs
    ADD COLUMN concurrency_key text COLLATE "C",
    -- '*' is left to the names of limits.
    ADD CONSTRAINT jobs_concurrency_key_form CHECK (concurrency_key ~ '^[!-)+-~]{1,200}$');
COMMENT ON COLUMN jobs.concurrency_key IS
    'Jobs of the same key run at most so many at once (one, unless a limit says otherwise); null: no such bound.';
CREATE INDEX jobs_running_key ON jobs (concurrency_key) WHERE state = 'running' AND concurrency_key IS NOT NULL;

-- The backlog is chosen from lane by lane: the oldest row of each (priority, tenant, key) is one probe away.
-- Writers of an older version leave the defaults: their doorbells wait in the lane of the system, and every
-- limit still holds when the job is acquired.
ALTER TABLE outbox
    -- The nil UUID: no tenant. Not null, so that lanes compare as rows.
    ADD COLUMN project_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    -- Empty: no key.
    ADD COLUMN concurrency_key text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN waiting_since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN outbox.waiting_since IS
    'Since when the job could have run: later of its due time and its acceptance. Survives a doorbell that came back.';
CREATE FUNCTION tenant_of(project_id uuid) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT coalesce(project_id, '00000000-0000-0000-0000-000000000000') $$;
DROP INDEX outbox_order;
CREATE INDEX outbox_lanes ON outbox (queue, priority, project_id, concurrency_key, waiting_since, id);

-- Broad to narrow, which is also the order in which their locks are taken.
CREATE TYPE limit_scope AS ENUM ('global', 'kind', 'project', 'key');

CREATE TABLE concurrency_limits (
    scope limit_scope NOT NULL,
    -- A kind, a project's id or a key; or the beginning of one and '*', for each that begins so.
    name text COLLATE "C" NOT NULL,
    -- 0: none.
    jobs_max integer NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL,
    PRIMARY KEY (scope, name),
    CONSTRAINT concurrency_limits_name_form CHECK (name ~ '^[!-)+-~]{0,200}[*]?$' AND name <> ''),
    CONSTRAINT concurrency_limits_global_name CHECK (scope <> 'global' OR name = '*'),
    CONSTRAINT concurrency_limits_jobs_max_range CHECK (jobs_max BETWEEN 0 AND 100000),
    CONSTRAINT concurrency_limits_updated_by_length CHECK (char_length(updated_by) BETWEEN 1 AND 254)
);
COMMENT ON TABLE concurrency_limits IS 'How many jobs may run at once. Exact: checked in the transaction that leases.';
INSERT INTO concurrency_limits (scope, name, jobs_max, updated_by) VALUES ('key', '*', 1, 'migration');

-- The limits on one job: of each scope the one whose name says most.
CREATE FUNCTION limits_on(job_kind text, job_project uuid, job_key text)
RETURNS TABLE (scope limit_scope, subject text, jobs_max integer)
LANGUAGE sql STABLE ROWS 2 AS $$
    SELECT DISTINCT ON (l.scope) l.scope, s.subject, l.jobs_max
    FROM (VALUES ('global'::limit_scope, ''), ('kind', job_kind), ('project', job_project::text), ('key', job_key))
         AS s (scope, subject)
    JOIN concurrency_limits l ON s.subject IS NOT NULL AND l.scope = s.scope
     AND (l.name = s.subject OR (right(l.name, 1) = '*' AND starts_with(s.subject, left(l.name, -1))))
    ORDER BY l.scope, (l.name = s.subject) DESC, length(l.name) DESC
$$;

-- Jobs that run under a limit, by the caller's snapshot.
CREATE FUNCTION places_taken(scope limit_scope, subject text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE scope
        WHEN 'global' THEN (SELECT count(*) FROM jobs WHERE state = 'running')
        WHEN 'kind' THEN (SELECT count(*) FROM jobs WHERE state = 'running' AND kind = subject)
        WHEN 'project' THEN (SELECT count(*) FROM jobs WHERE state = 'running' AND project_id = subject::uuid)
        WHEN 'key' THEN (SELECT count(*) FROM jobs WHERE state = 'running' AND concurrency_key = subject)
    END
$$;

-- Small, and every row changes soon: an insert before publishing, a delete with the lease.
CREATE TABLE doorbells_out (
    job_id uuid PRIMARY KEY,
    kind text NOT NULL,
    project_id uuid NOT NULL,
    concurrency_key text COLLATE "C" NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE doorbells_out IS
    'Places that published doorbells will ask for, of jobs under a limit only. A hint: late or lost rows cost a delay.';

CREATE TABLE queue_pauses (
    queue text PRIMARY KEY,
    reason text NOT NULL,
    paused_by text NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT queue_pauses_queue_form CHECK (queue ~ '^[a-z0-9_.-]{1,60}$'),
    CONSTRAINT queue_pauses_reason_length CHECK (char_length(reason) BETWEEN 1 AND 500),
    CONSTRAINT queue_pauses_paused_by_length CHECK (char_length(paused_by) BETWEEN 1 AND 254)
);
COMMENT ON TABLE queue_pauses IS 'Queues whose jobs wait: none is dispatched or leased; those that run go on.';

CREATE TABLE dispatch_marks (
    queue text PRIMARY KEY,
    -- When the relay last left nothing behind that could have gone out.
    caught_up_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE dispatch_marks IS 'How far behind the relay is, apart from what waits on purpose.';
