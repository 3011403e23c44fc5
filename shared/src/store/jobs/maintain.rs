//! What time alone makes due. Each function looks at the world, does at most `limit` of what is missing, says
//! how much it did, and may run any number of times, in several processes at once.

use crate::ids::JobId;
use crate::job::JobState;
use crate::store::{Store, StoreError};
use crate::telemetry::trace::TraceContext;
use std::time::Duration;

/// A job whose worker went silent.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Rescued {
    pub id: JobId,
    pub kind: String,
    /// *available* again, or *dead* after its last attempt, or *cancelled* if that was asked for.
    pub state: JobState,
    pub worker: String,
    pub attempt: i32,
    pub request_id: Option<String>,
    pub traceparent: Option<String>,
    /// How long the lease that expired was held, seconds; `None` when nothing is known of it.
    pub held_s: Option<f64>,
}

impl Rescued {
    /// The span that accepted it, if there was one.
    pub fn trace(&self) -> Option<TraceContext> {
        self.traceparent.as_ref()?.parse().ok()
    }
}

impl Store {
    /// Makes scheduled jobs available whose time has come, and rings for them.
    pub async fn stage(&self, limit: u32) -> Result<u64, StoreError> {
        let staged = sqlx::query(
            "WITH due AS (
                 SELECT id FROM jobs WHERE state = 'scheduled' AND due_at <= now()
                 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
             ), staged AS (
                 UPDATE jobs SET state = 'available', rung_at = now() FROM due WHERE jobs.id = due.id
                 RETURNING jobs.id, queue, priority, project_id, concurrency_key, due_at, created_at
             )
             INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
             SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''),
                    greatest(due_at, created_at)
             FROM staged",
        )
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(staged.rows_affected())
    }

    /// Takes expired leases back. A worker that renews at the same moment wins or loses whole: the row lock
    /// decides, and the loser's token is refused from then on only once somebody acquires the job again.
    ///
    /// A job is dead after its last attempt, and when `expiries_max` (at least 1) of its leases in a row ended
    /// so: it may be what kills its workers. Leases before it was last re-driven do not count.
    pub async fn rescue(&self, limit: u32, expiries_max: u16) -> Result<Vec<Rescued>, StoreError> {
        Ok(sqlx::query_as(
            "WITH expired AS (
                 SELECT id, lease_worker FROM jobs WHERE state = 'running' AND lease_expires_at < now()
                 ORDER BY lease_expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
             ), judged AS (
                 -- The leases before this one, as far as they ended like it.
                 SELECT expired.id, expired.lease_worker, jobs.attempt >= jobs.attempts_max AS was_last,
                        (SELECT count(*) FROM attempts
                         WHERE job_id = jobs.id AND attempts.fence < jobs.fence
                           AND attempts.fence > greatest(
                               jobs.fence - $2,
                               (SELECT max(job_events.fence) FROM job_events
                                WHERE job_events.job_id = jobs.id AND event = 're_driven'))
                           AND outcome = 'lease_expired') >= $2 - 1 AS kills
                 FROM expired JOIN jobs ON jobs.id = expired.id
             ), rescued AS (
                 UPDATE jobs SET
                     state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'::job_state
                                  WHEN was_last OR kills THEN 'dead' ELSE 'available' END,
                     finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR was_last OR kills
                                        THEN now() END,
                     rung_at = now(),
                     error = format('worker %s stopped renewing its lease', jobs.lease_worker)
                             || CASE WHEN kills AND $2 > 1
                                     THEN format(', as did the workers of the %s leases before', $2 - 1)
                                     ELSE '' END,
                     lease_worker = NULL, lease_expires_at = NULL
                 FROM judged WHERE jobs.id = judged.id
                 RETURNING jobs.id, kind, queue, priority, state, judged.lease_worker AS worker, attempt, fence,
                           error, request_id, project_id, concurrency_key, due_at, created_at, traceparent
             ), noted AS (
                 UPDATE attempts SET finished_at = now(), outcome = 'lease_expired', error = rescued.error
                 FROM rescued WHERE attempts.job_id = rescued.id AND attempts.fence = rescued.fence
                 RETURNING job_id, extract(epoch FROM now() - started_at)::float8 AS held_s
             ), rung AS (
                 INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
                 SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''),
                        greatest(due_at, created_at)
                 FROM rescued WHERE state = 'available'
             )
             SELECT id, kind, state, worker, attempt, request_id, traceparent, noted.held_s
             FROM rescued LEFT JOIN noted ON noted.job_id = rescued.id",
        )
        .bind(i64::from(limit))
        .bind(i64::from(expiries_max.max(1)))
        .fetch_all(self.pool())
        .await?)
    }

    /// Rings again for available jobs whose doorbell was asked for more than `after` ago and is not waiting in
    /// the outbox: it was lost with the broker, or it waits there behind others and a second ring does no
    /// harm. This alone makes a wiped broker cost a delay and nothing else.
    pub async fn ring_again(&self, after: Duration, limit: u32) -> Result<u64, StoreError> {
        let rung = sqlx::query(
            "WITH silent AS (
                 SELECT id FROM jobs WHERE state = 'available' AND rung_at < now() - $1 * interval '1 second'
                   AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id)
                 ORDER BY rung_at LIMIT $2 FOR UPDATE SKIP LOCKED
             ), rung AS (
                 UPDATE jobs SET rung_at = now() FROM silent WHERE jobs.id = silent.id
                 RETURNING jobs.id, queue, priority, project_id, concurrency_key, due_at, created_at
             ), forgotten AS (
                 -- Places kept for doorbells that went the way of the lost one.
                 DELETE FROM doorbells_out WHERE published_at < now() - $1 * interval '1 second'
             )
             INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
             SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''),
                    greatest(due_at, created_at)
             FROM rung",
        )
        .bind(after.as_secs_f64())
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(rung.rows_affected())
    }

    /// Deletes jobs that finished more than `retention` ago and have no results of their own; reconciliations
    /// go with their partition, see [`Store::drop_expired_results`].
    pub async fn prune_jobs(&self, retention: Duration, limit: u32) -> Result<u64, StoreError> {
        let pruned: i64 = sqlx::query_scalar(
            "WITH pruned AS (
                 DELETE FROM jobs WHERE id IN (
                     SELECT id FROM jobs
                     WHERE state IN ('completed', 'cancelled', 'dead')
                       AND finished_at < now() - $1 * interval '1 second'
                       AND NOT EXISTS (SELECT FROM reconciliations WHERE job_id = jobs.id)
                       AND NOT EXISTS (SELECT FROM batches WHERE batches.id = batch_id AND finished_at IS NULL)
                     ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)
                 RETURNING id
             ), booked AS (
                 INSERT INTO job_ledger (accepted, removed) SELECT 0, count(*) FROM pruned HAVING count(*) > 0
             )
             SELECT count(*) FROM pruned",
        )
        .bind(retention.as_secs_f64())
        .bind(i64::from(limit))
        .fetch_one(self.pool())
        .await?;
        Ok(pruned.max(0) as u64)
    }
}
