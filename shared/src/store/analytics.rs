//! What happened in a project lately, in a few figures.

use super::{Store, StoreError};
use crate::ids::{JobId, ProjectId};
use crate::job::JobState;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::time::Duration;

/// A project's reconciliations of one period.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// States without jobs are absent.
    pub jobs_by_state: BTreeMap<JobState, i64>,
    /// Of completed reconciliations, both sides together.
    pub records: i64,
    /// Of [`Self::records`], those inside matches.
    pub matched: i64,
    pub matches: i64,
    pub exceptions: i64,
    /// By the kind's name; kinds without exceptions are absent.
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub rejected_lines: i64,
}

#[derive(sqlx::FromRow)]
struct Totals {
    records: i64,
    matched: i64,
    matches: i64,
    exceptions: i64,
    rejected_lines: i64,
}

impl Store {
    /// Figures of the reconciliations submitted in the last `period`. Reads one range of `jobs_project` and of
    /// `reconciliations_project`: ids carry the time they were made.
    pub async fn dashboard(&self, project_id: ProjectId, period: Duration) -> Result<Dashboard, StoreError> {
        let states: Vec<(JobState, i64)> = sqlx::query_as(
            "SELECT state, count(*) FROM jobs
             WHERE project_id = $1 AND kind = 'reconciliation'
               AND id >= first_id_at(now() - $2 * interval '1 second')
             GROUP BY state",
        )
        .bind(project_id)
        .bind(period.as_secs_f64())
        .fetch_all(self.pool())
        .await?;
        let totals: Totals = sqlx::query_as(
            "SELECT coalesce(sum(left_records + right_records), 0)::bigint AS records,
                    coalesce(sum(left_matched + right_matched), 0)::bigint AS matched,
                    coalesce(sum(matches), 0)::bigint AS matches,
                    coalesce(sum(exceptions), 0)::bigint AS exceptions,
                    coalesce(sum(left_rejected + right_rejected), 0)::bigint AS rejected_lines
             FROM reconciliations
             WHERE project_id = $1 AND job_id >= first_id_at(now() - $2 * interval '1 second')
               AND completed_at IS NOT NULL",
        )
        .bind(project_id)
        .bind(period.as_secs_f64())
        .fetch_one(self.pool())
        .await?;
        let kinds: Vec<(String, i64)> = sqlx::query_as(
            "SELECT kind, sum(count::bigint)::bigint
             FROM reconciliations, jsonb_each_text(exceptions_by_kind) AS by_kind (kind, count)
             WHERE project_id = $1 AND job_id >= first_id_at(now() - $2 * interval '1 second')
               AND completed_at IS NOT NULL
             GROUP BY kind",
        )
        .bind(project_id)
        .bind(period.as_secs_f64())
        .fetch_all(self.pool())
        .await?;
        Ok(Dashboard {
            jobs_by_state: states.into_iter().collect(),
            records: totals.records,
            matched: totals.matched,
            matches: totals.matches,
            exceptions: totals.exceptions,
            exceptions_by_kind: kinds.into_iter().collect(),
            rejected_lines: totals.rejected_lines,
        })
    }
}

/// A reconciliation in a list: its job's state and the figures that fit on one line.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReconciliationLine {
    pub id: JobId,
    pub name: String,
    pub state: JobState,
    pub attempt: i32,
    pub priority: i16,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
    /// 0 to 100 while running.
    pub percent: Option<f64>,
    /// The figures are there once it has completed.
    pub records: Option<i64>,
    pub matched: Option<i64>,
    pub matches: Option<i64>,
    pub exceptions: Option<i64>,
}

impl Store {
    /// Reconciliations of a project, newest first, those older than `after`, in one state or all, at most
    /// `limit`. With a state it reads past the jobs in other states: `jobs.state` has no index of its own,
    /// because every state change would pay for it.
    pub async fn reconciliation_lines(
        &self,
        project_id: ProjectId,
        state: Option<JobState>,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<ReconciliationLine>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT j.id, r.name, j.state, j.attempt, j.priority, j.created_at, j.finished_at, j.error,
                    CASE WHEN j.state = 'running' THEN (j.progress->>'percent')::float8 END AS percent,
                    r.left_records + r.right_records AS records, r.left_matched + r.right_matched AS matched,
                    r.matches, r.exceptions
             FROM jobs j JOIN reconciliations r ON r.job_id = j.id
             WHERE j.project_id = $1 AND j.kind = 'reconciliation' AND ($2::uuid IS NULL OR j.id < $2)
               AND ($3::job_state IS NULL OR j.state = $3)
             ORDER BY j.id DESC LIMIT $4",
        )
        .bind(project_id)
        .bind(after)
        .bind(state)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }
}
