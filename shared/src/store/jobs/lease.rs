//! Leases: who may run a job, until when.

use super::history::PHASES_MAX;
use crate::ids::{JobId, ProjectId};
use crate::job::{JobKind, JobProgress, Lease};
use crate::store::{Store, StoreError};
use sqlx::types::Json;
use std::time::Duration;
use uuid::Uuid;

/// A lease that a worker holds and wants to keep, with what it has to report.
#[derive(Debug, Clone)]
pub struct Held {
    pub job_id: JobId,
    pub fence: i64,
    pub progress: Option<JobProgress>,
}

/// The answer to one [`Held`]. A lease without an answer is lost: another worker has the job, or it is
/// finished. Stop at once in that case; nothing computed from here on can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    pub job_id: JobId,
    pub fence: i64,
    /// Somebody asked for the job to stop.
    pub cancel_requested: bool,
}

#[derive(sqlx::FromRow)]
struct LeaseRow {
    id: JobId,
    kind: String,
    project_id: Option<ProjectId>,
    fence: i64,
    attempt: i32,
    attempts_max: i32,
    args: serde_json::Value,
    request_id: Option<String>,
    waited_s: f64,
}

impl Store {
    /// Takes the lease of an available job and counts the attempt.
    ///
    /// `None` when there is nothing to take: the doorbell was a duplicate, or the job is cancelled, not due or
    /// leased already. Of any number of workers asking at once, one gets it.
    pub async fn acquire(
        &self,
        id: JobId,
        worker: &str,
        lease_duration: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = sqlx::query_as(
            "WITH taken AS (
                 UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1, progress = NULL,
                     lease_worker = $2, lease_expires_at = now() + $3 * interval '1 second'
                 WHERE id = $1 AND state = 'available'
                 RETURNING *
             ), noted AS (
                 INSERT INTO attempts (job_id, fence, attempt, worker)
                 SELECT id, fence, attempt, lease_worker FROM taken
             )
             SELECT id, kind, project_id, fence, attempt, attempts_max, args, request_id,
                    greatest(0, extract(epoch FROM now() - due_at))::float8 AS waited_s
             FROM taken",
        )
        .bind(id)
        .bind(worker)
        .bind(lease_duration.as_secs_f64())
        .fetch_optional(self.pool())
        .await?;
        row.map(|row| {
            let kind = JobKind::parse(&row.kind).ok_or_else(|| {
                StoreError::Broken(sqlx::Error::Decode(
                    format!("jobs.kind of {}: {:?}", row.id, row.kind).into(),
                ))
            })?;
            Ok(Lease {
                job_id: row.id,
                kind,
                project_id: row.project_id,
                fence: row.fence,
                attempt: row.attempt as u16,
                attempts_max: row.attempts_max as u16,
                args: row.args,
                request_id: row.request_id,
                waited: Duration::from_secs_f64(row.waited_s),
            })
        })
        .transpose()
    }

    /// Extends every lease in `held` that is still ours and publishes progress, in one statement. A new phase becomes
    /// an event of the job's history.
    pub async fn renew(&self, held: &[Held], lease_duration: Duration) -> Result<Vec<Renewal>, StoreError> {
        let ids: Vec<Uuid> = held.iter().map(|h| h.job_id.0).collect();
        let fences: Vec<i64> = held.iter().map(|h| h.fence).collect();
        let progress: Vec<Option<Json<&JobProgress>>> =
            held.iter().map(|h| h.progress.as_ref().map(Json)).collect();
        let rows: Vec<(JobId, i64, bool)> = sqlx::query_as(
            "WITH held AS (
                 SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::jsonb[]) AS held (id, fence, progress)
             ), before AS (
                 SELECT jobs.id, jobs.progress->>'phase' AS phase FROM jobs JOIN held USING (id)
                 WHERE held.progress IS NOT NULL
             ), renewed AS (
                 UPDATE jobs SET lease_expires_at = now() + $4 * interval '1 second',
                     progress = coalesce(held.progress, jobs.progress)
                 FROM held WHERE jobs.id = held.id AND jobs.fence = held.fence AND state = 'running'
                 RETURNING jobs.id, jobs.fence, cancel_requested_at IS NOT NULL AS cancelled,
                           jobs.progress->>'phase' AS phase
             ), noted AS (
                 INSERT INTO job_events (job_id, event, fence, detail)
                 SELECT id, 'phase', fence, left(renewed.phase, 200) FROM renewed JOIN before USING (id)
                 WHERE renewed.phase IS DISTINCT FROM before.phase
                   AND (SELECT count(*) FROM job_events WHERE job_id = renewed.id) < $5
             )
             SELECT id, fence, cancelled FROM renewed",
        )
        .bind(ids)
        .bind(fences)
        .bind(progress)
        .bind(lease_duration.as_secs_f64())
        .bind(PHASES_MAX)
        .fetch_all(&self.renewals)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(job_id, fence, cancel_requested)| Renewal { job_id, fence, cancel_requested })
            .collect())
    }
}
