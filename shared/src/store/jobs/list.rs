//! Lists of jobs, newest first, by any combination of filters, each served by an index.
//!
//! No index fits every combination, and none is needed: within one kind and one state of a project (or of all)
//! `jobs_list_project` (or `jobs_list`) has the jobs in the order of the list. There are few kinds and six states,
//! so a page merges the head of each range that the filter allows. The work of a page follows its length and not
//! the number of jobs, whatever they are.

use crate::ids::{BatchId, JobId, ProjectId, first_id_at};
use crate::job::{JobKind, JobState};
use crate::queue::QueueName;
use crate::store::text::contains;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Which jobs. Empty: all of all projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub project_id: Option<ProjectId>,
    pub state: Option<JobState>,
    pub kind: Option<JobKind>,
    /// One queue per kind, of the same name: the same as `kind`.
    pub queue: Option<QueueName>,
    pub batch_id: Option<BatchId>,
    /// By the time in their ids, which is that of the process that accepted them, to the millisecond.
    pub created_from: Option<DateTime<Utc>>,
    /// Not included.
    pub created_before: Option<DateTime<Utc>>,
    /// Dead jobs of one group; see [`Store::dead_groups`].
    pub error_fingerprint: Option<String>,
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct JobLine {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub project_id: Option<ProjectId>,
    pub batch_id: Option<BatchId>,
    pub state: JobState,
    pub priority: i16,
    pub attempt: i32,
    pub attempts_max: i32,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Who runs it.
    pub worker: Option<String>,
    /// 0 to 100 while running.
    pub percent: Option<f64>,
    /// The first 500 characters of the last failure.
    pub error: Option<String>,
    /// Of dead jobs.
    pub error_fingerprint: Option<String>,
    pub request_id: Option<String>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub jobs: Vec<JobLine>,
    /// There may be more: go on after this one. With a text it may be a job that did not fit.
    pub resume_after: Option<JobId>,
}

/// Jobs that one page looks at for a text. There is no index for texts in the middle of errors; a page that finds
/// little says where to go on.
const TEXT_WINDOW: u32 = 5_000;

impl JobFilter {
    /// The kind that `kind` and `queue` allow; `Err`: none.
    fn only_kind(&self) -> Result<Option<JobKind>, Nothing> {
        let Some(queue) = &self.queue else { return Ok(self.kind.clone()) };
        let of_queue = JobKind::parse(queue.as_str()).ok_or(Nothing)?;
        match &self.kind {
            Some(kind) if *kind != of_queue => Err(Nothing),
            _ => Ok(Some(of_queue)),
        }
    }

    fn states(&self) -> Result<Vec<JobState>, Nothing> {
        match (self.state, &self.error_fingerprint) {
            (Some(state), Some(_)) if state != JobState::Dead => Err(Nothing),
            (_, Some(_)) => Ok(vec![JobState::Dead]),
            (Some(state), None) => Ok(vec![state]),
            (None, None) => Ok(JobState::ALL.to_vec()),
        }
    }

    /// The statement that finds ids, newest first. `$1` project, `$2` kind, `$3` states, `$4` and `$5` the range of
    /// ids, `$6` how many, `$7` batch, `$8` fingerprint. One per shape, so that each has a plan of its own.
    fn statement(&self) -> String {
        let of_project = if self.project_id.is_some() { "project_id = $1 AND" } else { "" };
        let of_kind = if self.kind.is_some() || self.queue.is_some() { "kind = $2 AND" } else { "" };
        let range = "id < $4 AND id >= $5 ORDER BY id DESC LIMIT $6";
        if self.batch_id.is_some() {
            // A batch is small enough to read past its jobs of other kinds or fingerprints.
            let fingerprint =
                if self.error_fingerprint.is_some() { "error_fingerprint = $8 AND" } else { "" };
            return format!(
                "SELECT found.id FROM unnest($3::job_state[]) AS s (state)
                 CROSS JOIN LATERAL (
                     SELECT id FROM jobs
                     WHERE batch_id = $7 AND state = s.state AND {of_project} {of_kind} {fingerprint} {range}
                 ) AS found ORDER BY id DESC LIMIT $6"
            );
        }
        if self.error_fingerprint.is_some() {
            return format!(
                "SELECT id FROM jobs
                 WHERE state = 'dead' AND {of_project} {of_kind} error_fingerprint = $8 AND {range}"
            );
        }
        let kinds = match of_kind {
            "" => format!(
                "(SELECT kind FROM jobs WHERE {of_project} true ORDER BY kind LIMIT 1)
                 UNION ALL
                 SELECT (SELECT j.kind FROM jobs j WHERE {of_project} j.kind > kinds.kind ORDER BY j.kind LIMIT 1)
                 FROM kinds WHERE kinds.kind IS NOT NULL"
            ),
            _ => "SELECT $2::text".to_owned(),
        };
        format!(
            "WITH RECURSIVE kinds (kind) AS ({kinds})
             SELECT found.id FROM kinds CROSS JOIN unnest($3::job_state[]) AS s (state)
             CROSS JOIN LATERAL (
                 SELECT id FROM jobs WHERE {of_project} kind = kinds.kind AND state = s.state AND {range}
             ) AS found
             ORDER BY id DESC LIMIT $6"
        )
    }
}

/// No job can fit the filter.
struct Nothing;

impl Store {
    /// Jobs that fit, newest first, those older than `after`, at most `limit`; with a text, of the next 5,000 that
    /// fit otherwise those in whose error, args, worker, request id or name it appears, in any letter case.
    pub async fn list_jobs(
        &self,
        filter: &JobFilter,
        text: Option<&str>,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Listed, StoreError> {
        // One more than fits says whether there are more.
        let window = if text.is_some() { TEXT_WINDOW } else { limit.saturating_add(1) };
        let ids = self.find_jobs(filter, after, window).await?;
        let end = ids.last().copied().filter(|_| ids.len() == window as usize).map(JobId);
        let pattern = text.map(contains);
        let mut jobs: Vec<JobLine> = sqlx::query_as(
            "SELECT j.id, kind, queue, j.project_id, batch_id, state, priority, attempt, attempts_max, j.created_at,
                    due_at, finished_at, cancel_requested_at, lease_worker AS worker,
                    CASE WHEN state = 'running' THEN (progress->>'percent')::float8 END AS percent,
                    left(error, 500) AS error, error_fingerprint, request_id
             FROM jobs j
             WHERE j.id = ANY($1) AND ($2::text IS NULL
                 OR error ILIKE $2 OR request_id ILIKE $2 OR lease_worker ILIKE $2 OR args::text ILIKE $2
                 OR EXISTS (SELECT FROM reconciliations r WHERE r.job_id = j.id AND r.name ILIKE $2))
             ORDER BY j.id DESC LIMIT $3",
        )
        .bind(ids)
        .bind(pattern)
        .bind(i64::from(limit) + 1)
        .fetch_all(self.pool())
        .await?;
        let resume_after = if jobs.len() > limit as usize {
            jobs.truncate(limit as usize);
            jobs.last().map(|job| job.id)
        } else {
            // Without a text the window is no longer than a page and its one more.
            end
        };
        Ok(Listed { jobs, resume_after })
    }

    /// How many fit, counted up to `at_most`.
    pub async fn count_jobs(&self, filter: &JobFilter, at_most: u32) -> Result<u64, StoreError> {
        Ok(self.find_jobs(filter, None, at_most).await?.len() as u64)
    }

    /// The ids of jobs that fit, newest first.
    pub(super) async fn find_jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Uuid>, StoreError> {
        let (Ok(kind), Ok(states)) = (filter.only_kind(), filter.states()) else { return Ok(vec![]) };
        let before = filter.created_before.map_or(Uuid::max(), first_id_at);
        let before = after.map_or(before, |after| before.min(after.0));
        let from = filter.created_from.map_or(Uuid::nil(), first_id_at);
        Ok(sqlx::query_scalar(AssertSqlSafe(filter.statement()))
            .bind(filter.project_id)
            .bind(kind.as_ref().map(JobKind::as_str))
            .bind(states)
            .bind(before)
            .bind(from)
            .bind(i64::from(limit))
            .bind(filter.batch_id)
            .bind(&filter.error_fingerprint)
            .fetch_all(self.pool_for_project(filter.project_id))
            .await?)
    }
}
