-- Who works, what the relay came across, and from where on the lost leases of a re-driven job count.

CREATE TABLE workers (
    -- As in jobs.lease_worker; never used again by another process.
    name text PRIMARY KEY,
    version text NOT NULL,
    kinds text[] NOT NULL,
    -- Jobs at once, of each kind.
    slots integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- Every few seconds while it lives. Its leases are what counts; this is for those who look.
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    -- Takes nothing new.
    is_draining boolean NOT NULL DEFAULT false,
    CONSTRAINT workers_name_length CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT workers_slots_range CHECK (slots BETWEEN 1 AND 1000)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE workers IS 'Worker processes. A row goes when its worker stops in order, or some time after it was silent.';

ALTER TABLE dispatch_marks
    -- When a relay last looked at this queue.
    ADD COLUMN looked_at timestamptz,
    -- When the broker last confirmed a doorbell of it, to within a few seconds.
    ADD COLUMN confirmed_at timestamptz,
    -- Why that look failed; null when it did not.
    ADD COLUMN trouble text;

-- What an unfinished batch is followed by can be asked for before it exists.
CREATE INDEX batches_completion ON batches (((completion ->> 'id')::uuid))
    WHERE completion IS NOT NULL AND finished_at IS NULL;

-- From now on re-driving notes the last lease before it. Leases that expired before that no longer count.
UPDATE job_events SET fence = coalesce(
    (SELECT max(attempts.fence) FROM attempts
     WHERE attempts.job_id = job_events.job_id AND attempts.started_at <= job_events.at), 0)
WHERE event = 're_driven';

-- Each attempt is written twice, when it begins and when it ends; the second time should stay on its page.
ALTER TABLE attempts SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);
-- A finished job leaves three dead versions behind. They are cleared away before they are many, and at once: a vacuum
-- that pauses falls behind a thousand jobs a second.
ALTER TABLE jobs SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0
);
