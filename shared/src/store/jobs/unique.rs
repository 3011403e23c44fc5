//! Jobs of which there is one: enqueueing it again returns the one there is.

use crate::ids::JobId;
use crate::job::NewJob;
use crate::limits::ConcurrencyKey;
use crate::store::{Store, StoreError};
use crate::telemetry::trace;
use sqlx::PgConnection;
use std::time::Duration;

/// What makes a job the only one of its kind and project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// 1 to 200 characters, chosen by whoever enqueues: "nightly", "file 7f3a…".
    pub key: String,
    /// One for each such stretch of time, counted from 1970 by the database's clock; `None`: one at a time.
    pub period: Option<Duration>,
    pub holds: UniqueWhile,
}

/// In which states a job keeps others away. Postgres has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "unique_while", rename_all = "snake_case")]
pub enum UniqueWhile {
    /// Scheduled, available, running.
    Unfinished,
    /// Those and completed: one success per period; what was cancelled or is dead may be tried anew.
    UnfinishedOrCompleted,
    /// As long as its row is kept.
    Kept,
}

/// The job that there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    pub id: JobId,
    /// It was made by this call.
    pub is_new: bool,
}

/// The one there is may end between the attempt to insert and the look for it.
const TRIES: usize = 10;

/// As [`super::enqueue`], unless there is such a job. Of any number of callers at once one makes it; the others wait
/// for that one's transaction and get its job, or make it themselves when it was rolled back.
pub async fn enqueue_unique(
    conn: &mut PgConnection,
    job: &NewJob,
    unique: &Unique,
) -> Result<Enqueued, StoreError> {
    for _ in 0..TRIES {
        let key: String = sqlx::query_scalar(
            // The period in front, so that one column is all the index needs.
            "SELECT coalesce(floor(extract(epoch FROM now()) / $2)::bigint::text, '') || ':' || $1",
        )
        .bind(&unique.key)
        .bind(unique.period.map(|period| period.as_secs_f64().max(1.0)))
        .fetch_one(&mut *conn)
        .await?;
        let made = sqlx::query(
            "WITH accepted AS (
                 INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, due_at, attempts_max,
                                   created_by, request_id, unique_key, unique_while, concurrency_key,
                                   traceparent)
                 VALUES ($1, $2, $3, $4,
                         CASE WHEN $7 > now() THEN 'scheduled'::job_state ELSE 'available' END,
                         $5, $6, coalesce($7, now()), $8, $9, $10, $11, $12, $13, $14)
                 ON CONFLICT DO NOTHING
                 RETURNING id, queue, priority, state, project_id, concurrency_key
             ), rung AS (
                 INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
                 SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, '')
                 FROM accepted WHERE state = 'available'
             )
             SELECT FROM accepted",
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
        .bind(&key)
        .bind(unique.holds)
        .bind(job.concurrency_key.as_ref().map(ConcurrencyKey::as_str))
        .bind(trace::current().map(|context| context.to_string()))
        .execute(&mut *conn)
        .await?;
        if made.rows_affected() == 1 {
            return Ok(Enqueued { id: job.id, is_new: true });
        }
        let there: Option<JobId> = sqlx::query_scalar(
            "SELECT id FROM jobs
             WHERE kind = $1 AND unique_key = $2
               AND coalesce(project_id, '00000000-0000-0000-0000-000000000000'::uuid)
                   = coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
               AND (unique_while = 'kept'
                    OR state IN ('scheduled', 'available', 'running')
                    OR (unique_while = 'unfinished_or_completed' AND state = 'completed'))",
        )
        .bind(job.kind.as_str())
        .bind(&key)
        .bind(job.project_id)
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(id) = there {
            return Ok(Enqueued { id, is_new: false });
        }
    }
    Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut))
}

impl Store {
    /// [`enqueue_unique`] in a transaction of its own.
    pub async fn enqueue_unique(&self, job: &NewJob, unique: &Unique) -> Result<Enqueued, StoreError> {
        let mut tx = self.begin().await?;
        let enqueued = enqueue_unique(&mut tx, job, unique).await?;
        tx.commit().await?;
        Ok(enqueued)
    }
}
