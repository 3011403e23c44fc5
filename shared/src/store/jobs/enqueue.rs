//! Accepting a job. On a connection without a transaction it is one of its own: a single statement.

use crate::job::NewJob;
use crate::limits::ConcurrencyKey;
use crate::store::StoreError;
use crate::telemetry::trace;
use sqlx::PgConnection;

/// Writes the job row and, when it may start now, its outbox row, in the caller's transaction: the job exists
/// exactly if the change that caused it does (invariant 4). The span we are in becomes the parent of its attempts.
pub async fn enqueue(conn: &mut PgConnection, job: &NewJob) -> Result<(), StoreError> {
    sqlx::query(
        "WITH accepted AS (
             INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, due_at, attempts_max,
                               created_by, request_id, concurrency_key, traceparent)
             VALUES ($1, $2, $3, $4,
                     CASE WHEN $7 > now() THEN 'scheduled'::job_state ELSE 'available' END,
                     $5, $6, coalesce($7, now()), $8, $9, $10, $11, $12)
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
    .bind(trace::current().map(|context| context.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}
