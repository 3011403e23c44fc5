-- The relay's usual round: a doorbell or a few, and all of them may go.

-- Locks the doorbells of every queue that is not paused and has few, at most one more than `few` of each: whoever gets
-- more of a queue knows that there are others, and chooses among all of them. Doorbells that another relay holds are
-- skipped. A function, because its statement stays planned with the connection: the call can share a message with the
-- beginning of its transaction and still costs no planning.
--
-- Whatever the tables held when it was planned, each queue is one range of `outbox_lanes` that is left after the first few
-- rows: an outbox that was empty then may have a million rows now.
CREATE FUNCTION few_doorbells(few integer, besides text[])
RETURNS TABLE (
    id bigint, job_id uuid, queue text, priority smallint, project_id uuid, concurrency_key text,
    waiting_since timestamptz, now timestamptz
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE q AS (
        (SELECT queue FROM outbox ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT o.queue FROM outbox o WHERE o.queue > q.queue ORDER BY o.queue LIMIT 1)
        FROM q WHERE q.queue IS NOT NULL
    )
    SELECT taken.*, now() FROM q CROSS JOIN LATERAL (
        SELECT o.id, o.job_id, o.queue, o.priority, o.project_id, o.concurrency_key::text, o.waiting_since
        FROM outbox o WHERE o.queue = q.queue
        ORDER BY o.priority, o.project_id, o.concurrency_key, o.waiting_since, o.id
        LIMIT few + 1 FOR UPDATE SKIP LOCKED
    ) AS taken
    WHERE q.queue IS NOT NULL AND q.queue <> ALL (besides)
      AND NOT EXISTS (SELECT FROM queue_pauses p WHERE p.queue = q.queue);
END
$$;
COMMENT ON FUNCTION few_doorbells IS 'Locks the doorbells of queues that have few; at most one more than so many of each.';
