//! Accepting many jobs at once.

use crate::ids::{BatchId, JobId};
use crate::job::NewJob;
use crate::limits::ConcurrencyKey;
use crate::store::StoreError;
use crate::telemetry::trace;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Rows of one statement: larger ones gain nothing and hold their memory longer.
const STEP: usize = 1_000;

/// As [`super::enqueue`] for each of `jobs`, in the caller's transaction: all are accepted or none. Thousands of jobs
/// cost about as many times 30 µs. The caller bounds how many.
pub async fn enqueue_many(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    batch_id: Option<BatchId>,
) -> Result<(), StoreError> {
    for jobs in jobs.chunks(STEP) {
        insert(conn, jobs, batch_id).await?;
    }
    Ok(())
}

async fn insert(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    batch_id: Option<BatchId>,
) -> Result<(), StoreError> {
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    let queues: Vec<String> = jobs.iter().map(|job| job.kind.queue().as_str().to_owned()).collect();
    let projects: Vec<_> = jobs.iter().map(|job| job.project_id).collect();
    let priorities: Vec<i16> = jobs.iter().map(|job| job.priority.into()).collect();
    let args: Vec<&serde_json::Value> = jobs.iter().map(|job| &job.args).collect();
    let due: Vec<Option<DateTime<Utc>>> = jobs.iter().map(|job| job.due_at).collect();
    let attempts: Vec<i32> = jobs.iter().map(|job| job.attempts_max.into()).collect();
    let makers: Vec<_> = jobs.iter().map(|job| job.created_by).collect();
    let requests: Vec<Option<&str>> = jobs.iter().map(|job| job.request_id.as_deref()).collect();
    let keys: Vec<Option<&str>> =
        jobs.iter().map(|job| job.concurrency_key.as_ref().map(ConcurrencyKey::as_str)).collect();
    sqlx::query(
        "WITH accepted AS (
             INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, due_at, attempts_max,
                               created_by, request_id, concurrency_key, batch_id, traceparent)
             SELECT id, kind, queue, project_id,
                    CASE WHEN due_at > now() THEN 'scheduled'::job_state ELSE 'available' END,
                    priority, args, coalesce(due_at, now()), attempts_max, created_by, request_id,
                    concurrency_key, $12, $13
             FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::smallint[], $6::jsonb[],
                         $7::timestamptz[], $8::integer[], $9::uuid[], $10::text[], $11::text[])
                  AS new (id, kind, queue, project_id, priority, args, due_at, attempts_max, created_by, request_id,
                          concurrency_key)
             RETURNING id, queue, priority, state, project_id, concurrency_key
         )
         INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
         SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, '')
         FROM accepted WHERE state = 'available'",
    )
    .bind(ids.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(kinds)
    .bind(queues)
    .bind(projects.iter().map(|id| id.map(|id| id.0)).collect::<Vec<_>>())
    .bind(priorities)
    .bind(args)
    .bind(due)
    .bind(attempts)
    .bind(makers.iter().map(|id| id.map(|id| id.0)).collect::<Vec<_>>())
    .bind(requests)
    .bind(keys)
    .bind(batch_id)
    .bind(trace::current().map(|context| context.to_string()))
    .execute(conn)
    .await?;
    Ok(())
}
