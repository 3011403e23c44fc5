//! Accepting a job, and asking a job to stop.

use crate::ids::JobId;
use crate::job::{JobState, NewJob};
use crate::limits::ConcurrencyKey;
use crate::store::{Store, StoreError};
use sqlx::PgConnection;

/// Writes the job row and, when it may start now, its outbox row, in the caller's transaction: the job exists
/// exactly if the change that caused it does (invariant 4).
pub async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<(), StoreError> {
    sqlx::query(
        "WITH accepted AS (
             INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, due_at, attempts_max,
                               created_by, request_id, concurrency_key)
             VALUES ($1, $2, $3, $4,
                     CASE WHEN $7 > now() THEN 'scheduled'::job_state ELSE 'available' END,
                     $5, $6, coalesce($7, now()), $8, $9, $10, $11)
             RETURNING id, queue, priority, state, project_id, concurrency_key
         )
         INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
         SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, '')
         FROM accepted WHERE state = 'available'",
    )
    .bind(job.id)
    .bind(job.kind.as_str())
    .bind(job.kind.queue().as_str())
    .bind(job.project_id)
    .bind(i16::from(job.priority))
    .bind(&job.args)
    .bind(job.due_at)
    .bind(i32::from(job.attempts_max))
    .bind(job.created_by)
    .bind(&job.request_id)
    .bind(job.concurrency_key.as_ref().map(ConcurrencyKey::as_str))
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// Cancels a job that has not started at once; asks a running one to stop, which its worker notices with
    /// its next renewal (within about a second). Returns the state after the call; `None`: no such job.
    /// A finished job stays as it is.
    pub async fn request_cancel(&self, id: JobId) -> Result<Option<JobState>, StoreError> {
        let changed: Option<JobState> = sqlx::query_scalar(
            "UPDATE jobs SET
                 state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
                 finished_at = CASE WHEN state = 'running' THEN NULL ELSE now() END,
                 cancel_requested_at = coalesce(cancel_requested_at, now())
             WHERE id = $1 AND state IN ('scheduled', 'available', 'running')
             RETURNING state",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        match changed {
            Some(state) => Ok(Some(state)),
            None => Ok(sqlx::query_scalar("SELECT state FROM jobs WHERE id = $1")
                .bind(id)
                .fetch_optional(self.pool())
                .await?),
        }
    }
}
