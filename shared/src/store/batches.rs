//! Batches: jobs accepted together, and what follows when all of them are final.
//!
//! Nothing is counted while jobs finish: a counter in the batch's row would make every finish of a batch wait for
//! the one before. Instead [`Store::finish_batches`] looks for batches without an unfinished job, which is one probe
//! of an index each, and finishes each once, whoever looks.

use super::audit::Note;
use super::jobs::{Asker, BulkAction, BulkDone, JobFilter, enqueue, enqueue_many};
use super::reconciliations::{self, NewReconciliation};
use super::{Store, StoreError};
use crate::ids::{BatchId, DataSourceId, JobId, ProjectId, UserId};
use crate::job::{JobKind, NewJob};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::time::Duration;

/// Jobs of one batch.
pub const BATCH_JOBS_MAX: usize = 10_000;

/// A batch to accept.
#[derive(Debug, Clone)]
pub struct NewBatch {
    pub id: BatchId,
    pub project_id: Option<ProjectId>,
    /// 1 to 200 characters.
    pub name: String,
    /// Accepted as soon as all jobs are final, however they ended.
    pub completion: Option<Completion>,
    pub created_by: Option<UserId>,
    pub request_id: Option<String>,
}

/// The job that follows a batch. It belongs to the batch's project and is not itself one of the batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Chosen when the batch is accepted, so that it can be told from then on.
    pub id: JobId,
    pub kind: JobKind,
    /// 0 (last) to 9 (first).
    pub priority: u8,
    pub args: serde_json::Value,
    /// 1 to 100.
    pub attempts_max: u16,
    /// What it reconciles, when its kind is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<CompletionReconciliation>,
}

/// A reconciliation that follows a batch; in the batch's project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionReconciliation {
    pub name: String,
    pub left_source_id: DataSourceId,
    pub right_source_id: DataSourceId,
    /// A `matching::RuleSet`.
    pub rules: serde_json::Value,
}

/// A batch and how its jobs are.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct BatchView {
    pub id: BatchId,
    pub project_id: Option<ProjectId>,
    pub name: String,
    /// How many it was made of. The states add up to it.
    pub jobs: i32,
    pub scheduled: i64,
    pub available: i64,
    pub running: i64,
    pub completed: i64,
    pub cancelled: i64,
    pub dead: i64,
    pub completion_job_id: Option<JobId>,
    pub created_at: DateTime<Utc>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// A batch that has just been finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedBatch {
    pub id: BatchId,
    pub completion_job_id: Option<JobId>,
}

/// Finished ones show the figures kept when they finished, others count their jobs.
const VIEW: &str = "SELECT b.id, b.project_id, b.name, b.jobs,
        coalesce(c.scheduled, 0) AS scheduled, coalesce(c.available, 0) AS available,
        coalesce(c.running, 0) AS running, coalesce(b.completed, c.completed, 0)::bigint AS completed,
        coalesce(b.cancelled, c.cancelled, 0)::bigint AS cancelled, coalesce(b.dead, c.dead, 0)::bigint AS dead,
        (b.completion->>'id')::uuid AS completion_job_id, b.created_at, b.cancel_requested_at, b.finished_at
     FROM batches b
     LEFT JOIN LATERAL (
         SELECT count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
                count(*) FILTER (WHERE state = 'available') AS available,
                count(*) FILTER (WHERE state = 'running') AS running,
                count(*) FILTER (WHERE state = 'completed') AS completed,
                count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
                count(*) FILTER (WHERE state = 'dead') AS dead
         FROM jobs WHERE jobs.batch_id = b.id
     ) AS c ON b.finished_at IS NULL";

/// Accepts a batch with its jobs in the caller's transaction: all of it or nothing. `jobs` are 1 to
/// [`BATCH_JOBS_MAX`] (constraint `batches_jobs_range`).
pub async fn enqueue_batch(
    conn: &mut PgConnection,
    batch: &NewBatch,
    jobs: &[NewJob],
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO batches (id, project_id, name, jobs, completion, created_by, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(batch.id)
    .bind(batch.project_id)
    .bind(&batch.name)
    .bind(i32::try_from(jobs.len()).unwrap_or(i32::MAX))
    .bind(batch.completion.as_ref().map(Json))
    .bind(batch.created_by)
    .bind(&batch.request_id)
    .execute(&mut *conn)
    .await?;
    enqueue_many(conn, jobs, Some(batch.id)).await
}

#[derive(sqlx::FromRow)]
struct Finishing {
    id: BatchId,
    project_id: Option<ProjectId>,
    completion: Option<serde_json::Value>,
    created_by: Option<UserId>,
    request_id: Option<String>,
}

impl Store {
    pub async fn batch(&self, id: BatchId) -> Result<Option<BatchView>, StoreError> {
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!("{VIEW} WHERE b.id = $1")))
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Batches of a project, newest first, those older than `after`, at most `limit`.
    pub async fn batches(
        &self,
        project_id: ProjectId,
        after: Option<BatchId>,
        limit: u32,
    ) -> Result<Vec<BatchView>, StoreError> {
        let after = after.map_or(uuid::Uuid::max(), |after| after.0);
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{VIEW} WHERE b.project_id = $1 AND b.id < $2 ORDER BY b.id DESC LIMIT $3"
        )))
        .bind(project_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Finishes at most `limit` batches whose jobs are all final, and accepts the jobs that follow them. Any number
    /// may run at once: a batch is finished once.
    pub async fn finish_batches(&self, limit: u32) -> Result<Vec<FinishedBatch>, StoreError> {
        let mut tx = self.begin().await?;
        let finishing: Vec<Finishing> = sqlx::query_as(
            "WITH done AS (
                 SELECT id FROM batches b
                 WHERE finished_at IS NULL AND NOT EXISTS (
                     SELECT FROM jobs WHERE batch_id = b.id AND state IN ('scheduled', 'available', 'running'))
                 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
             )
             UPDATE batches b SET finished_at = now(), completed = c.completed, cancelled = c.cancelled, dead = c.dead
             FROM done CROSS JOIN LATERAL (
                 SELECT count(*) FILTER (WHERE state = 'completed') AS completed,
                        count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
                        count(*) FILTER (WHERE state = 'dead') AS dead
                 FROM jobs WHERE batch_id = done.id
             ) AS c
             WHERE b.id = done.id
             RETURNING b.id, b.project_id, b.completion, b.created_by, b.request_id",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let mut finished = vec![];
        for batch in finishing {
            let id = batch.id;
            let completion_job_id = accept_completion(&mut tx, batch).await?;
            finished.push(FinishedBatch { id, completion_job_id });
        }
        tx.commit().await?;
        Ok(finished)
    }

    /// Cancels every job of a batch that has not finished, as [`Store::act_on_jobs`] does. What follows the batch
    /// still follows: it is told by its jobs' states what happened. `None`: no such batch.
    pub async fn cancel_batch(&self, id: BatchId, by: &Asker) -> Result<Option<BulkDone>, StoreError> {
        let mut tx = self.begin().await?;
        let noted: Option<Option<ProjectId>> = sqlx::query_scalar(
            "UPDATE batches SET cancel_requested_at = coalesce(cancel_requested_at, now()) WHERE id = $1
             RETURNING project_id",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(project_id) = noted else { return Ok(None) };
        Note::of(project_id, "batch", id).commit(tx).await?;
        let filter = JobFilter { batch_id: Some(id), ..Default::default() };
        self.act_on_jobs(BulkAction::Cancel, &filter, BATCH_JOBS_MAX as u32, by).await.map(Some)
    }

    /// Forgets at most `limit` batches that finished more than `retention` ago and have no job left.
    pub async fn prune_batches(&self, retention: Duration, limit: u32) -> Result<u64, StoreError> {
        let pruned = sqlx::query(
            "DELETE FROM batches WHERE id IN (
                 SELECT id FROM batches b
                 WHERE finished_at < now() - $1 * interval '1 second'
                   AND NOT EXISTS (SELECT FROM jobs WHERE batch_id = b.id)
                 ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind(retention.as_secs_f64())
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(pruned.rows_affected())
    }
}

/// Accepts the job that follows a batch. One that is refused (it exists already, or nobody can read it any more) keeps
/// neither its batch open nor other batches waiting.
async fn accept_completion(conn: &mut PgConnection, batch: Finishing) -> Result<Option<JobId>, StoreError> {
    let Some(completion) = batch.completion else { return Ok(None) };
    let completion: Completion = match serde_json::from_value(completion) {
        Ok(completion) => completion,
        Err(error) => {
            tracing::error!(batch_id = %batch.id, %error, "what follows a batch cannot be read");
            return Ok(None);
        }
    };
    let job = NewJob {
        id: completion.id,
        kind: completion.kind,
        project_id: batch.project_id,
        priority: completion.priority,
        concurrency_key: None,
        args: completion.args,
        due_at: None,
        attempts_max: completion.attempts_max,
        created_by: batch.created_by,
        request_id: batch.request_id,
    };
    let mut savepoint = sqlx::Connection::begin(&mut *conn).await?;
    match enqueue(&mut savepoint, &job).await {
        Ok(()) => savepoint.commit().await?,
        Err(error) if error.constraint().is_none() => return Err(error),
        Err(error) => {
            tracing::error!(batch_id = %batch.id, job_id = %job.id, error = crate::chain(&error), "what follows a batch is refused");
            savepoint.rollback().await?;
            return Ok(None);
        }
    }
    if let (Some(new), Some(project_id)) = (completion.reconciliation, batch.project_id) {
        insert_reconciliation(conn, job.id, project_id, new).await?;
    }
    Ok(Some(job.id))
}

/// Without its row, a job whose sources were deleted meanwhile still comes: it ends dead and says so. The batch must
/// not stay open for it.
async fn insert_reconciliation(
    conn: &mut PgConnection,
    job_id: JobId,
    project_id: ProjectId,
    new: CompletionReconciliation,
) -> Result<(), StoreError> {
    let new = NewReconciliation {
        job_id,
        project_id,
        name: new.name,
        left_source_id: new.left_source_id,
        right_source_id: new.right_source_id,
        rules: new.rules,
        continues: None,
    };
    let mut savepoint = sqlx::Connection::begin(conn).await?;
    match reconciliations::insert(&mut savepoint, &new).await {
        Ok(()) => savepoint.commit().await?,
        Err(error) if error.constraint().is_none() => return Err(error),
        Err(error) => {
            tracing::error!(%job_id, error = crate::chain(&error), "what follows a batch cannot be reconciled any more");
            savepoint.rollback().await?;
        }
    }
    Ok(())
}
