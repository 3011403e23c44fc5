//! Jobs: the only module that changes `jobs.state`, and only along [`JobState::may_become`].
//!
//! [`enqueue`](Store) makes a job with its doorbell, [`acquire`] hands out the right to run it, [`lease`] renews that,
//! [`release`] records how an attempt ended, [`maintain`] does what time alone makes due, [`operate`] what people
//! ask for. [`list`] and [`history`] show jobs.

mod acquire;
mod dead;
mod enqueue;
mod enqueue_many;
mod explain;
mod history;
mod lease;
mod list;
mod maintain;
mod operate;
mod release;
mod unique;
mod write;

pub use acquire::{Hindrance, LeaseAnswer};
pub use dead::DeadGroup;
pub use enqueue::enqueue;
pub use enqueue_many::enqueue_many;
pub use history::{History, HistoryEvent};
pub use lease::{Held, Renewal};
pub use list::{JobFilter, JobLine, Listed};
pub use maintain::Rescued;
pub use operate::{Asker, BULK_STEP, BulkAction, BulkDone};
pub use release::{Finish, LeaseLost, ReleaseError, confirm, release, release_free};
pub use unique::{Enqueued, Unique, UniqueWhile, enqueue_unique};
pub use write::become_writer;

use super::{Store, StoreError};
use crate::ids::{BatchId, JobId, ProjectId};
use crate::job::{JobProgress, JobState};
use crate::telemetry::trace::TraceContext;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::collections::HashMap;

/// A job as anybody outside the engine may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct JobView {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub project_id: Option<ProjectId>,
    pub batch_id: Option<BatchId>,
    pub state: JobState,
    pub priority: i16,
    pub attempt: i32,
    pub attempts_max: i32,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub progress: Option<Json<JobProgress>>,
    pub error: Option<String>,
    /// Of dead jobs; see [`Store::dead_groups`].
    pub error_fingerprint: Option<String>,
    pub request_id: Option<String>,
    pub traceparent: Option<String>,
    /// Who runs it.
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTime<Utc>>,
}

/// One lease a job had, and how it ended.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AttemptView {
    pub fence: i64,
    pub attempt: i32,
    pub worker: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

/// Jobs of one queue in one unfinished state.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct QueueCount {
    pub queue: String,
    pub state: JobState,
    pub jobs: i64,
    /// Seconds since the oldest of them could have started.
    pub oldest_age_s: f64,
}

impl JobView {
    /// Names the trace it belongs to, if it came about in one.
    pub fn trace_id(&self) -> Option<String> {
        let context: TraceContext = self.traceparent.as_ref()?.parse().ok()?;
        Some(context.trace_id().to_string())
    }
}

impl Store {
    pub async fn job(&self, id: JobId) -> Result<Option<JobView>, StoreError> {
        Ok(self.jobs(&[id]).await?.pop())
    }

    /// Those of `ids` that exist, in no particular order.
    pub async fn jobs(&self, ids: &[JobId]) -> Result<Vec<JobView>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        Ok(sqlx::query_as(
            "SELECT id, kind, queue, project_id, batch_id, state, priority, attempt, attempts_max, due_at, created_at,
                    finished_at, cancel_requested_at, progress, error, error_fingerprint, request_id,
                    traceparent, lease_worker AS worker, lease_expires_at
             FROM jobs WHERE id = ANY($1)",
        )
        .bind(ids)
        .fetch_all(self.pool())
        .await?)
    }

    /// Where those of `ids` belong whose trace is sampled. For the relay, which asks only where traces are sent.
    pub async fn sampled_traces(&self, ids: &[JobId]) -> Result<HashMap<JobId, TraceContext>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        // One row, since each costs the driver more than what is in it.
        let (ids, texts): (Vec<uuid::Uuid>, Vec<String>) = sqlx::query_as(
            "SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(traceparent), '{}')
             FROM jobs WHERE id = ANY($1) AND traceparent IS NOT NULL",
        )
        .bind(ids)
        .fetch_one(self.pool())
        .await?;
        let read = |(id, text): (uuid::Uuid, String)| Some((JobId(id), text.parse::<TraceContext>().ok()?));
        let all = ids.into_iter().zip(texts).filter_map(read);
        Ok(all.filter(|(_, context)| context.is_sampled()).collect())
    }

    /// What a job was asked to do.
    pub async fn job_args(&self, id: JobId) -> Result<Option<serde_json::Value>, StoreError> {
        Ok(sqlx::query_scalar("SELECT args FROM jobs WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// What a completed job left as its result; results of reconciliations have tables of their own.
    pub async fn job_result(&self, id: JobId) -> Result<Option<serde_json::Value>, StoreError> {
        let result: Option<Option<serde_json::Value>> =
            sqlx::query_scalar("SELECT result FROM jobs WHERE id = $1")
                .bind(id)
                .fetch_optional(self.pool())
                .await?;
        Ok(result.flatten())
    }

    /// All attempts of a job, oldest first.
    pub async fn attempts(&self, id: JobId) -> Result<Vec<AttemptView>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT fence, attempt, worker, started_at, finished_at, outcome::text AS outcome, error
             FROM attempts WHERE job_id = $1 ORDER BY fence",
        )
        .bind(id)
        .fetch_all(self.pool())
        .await?)
    }

    /// How one lease ended; `None` while it runs, or when there was none.
    pub async fn attempt_outcome(&self, id: JobId, fence: i64) -> Result<Option<String>, StoreError> {
        let outcome: Option<Option<String>> =
            sqlx::query_scalar("SELECT outcome::text FROM attempts WHERE job_id = $1 AND fence = $2")
                .bind(id)
                .bind(fence)
                .fetch_optional(self.pool())
                .await?;
        Ok(outcome.flatten())
    }

    /// Depth and oldest age per queue and unfinished state, from the truth and not from the broker. Reads the
    /// partial indexes of live jobs only: its cost follows the backlog, not the history.
    pub async fn queue_counts(&self) -> Result<Vec<QueueCount>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT queue, state, count(*) AS jobs,
                    greatest(0, extract(epoch FROM now() - min(due_at)))::float8 AS oldest_age_s
             FROM jobs WHERE state = 'scheduled' GROUP BY queue, state
             UNION ALL
             SELECT queue, state, count(*), greatest(0, extract(epoch FROM now() - min(due_at)))::float8
             FROM jobs WHERE state = 'available' GROUP BY queue, state
             UNION ALL
             SELECT queue, state, count(*), greatest(0, extract(epoch FROM now() - min(due_at)))::float8
             FROM jobs WHERE state = 'running' GROUP BY queue, state",
        )
        .fetch_all(self.pool())
        .await?)
    }
}
