//! Reconciliations as lists show them: what was asked joined with how its job is.

use super::{Store, StoreError};
use crate::ids::{JobId, ProjectId};
use crate::job::JobState;
use chrono::{DateTime, Utc};

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
    /// Reconciliations of a project, newest first, those older than `after`, in one state or all, at most `limit`.
    /// Merges one range of an index per state, as [`Store::list_jobs`] does.
    pub async fn reconciliation_lines(
        &self,
        project_id: ProjectId,
        state: Option<JobState>,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<ReconciliationLine>, StoreError> {
        let states = state.map_or(JobState::ALL.to_vec(), |state| vec![state]);
        Ok(sqlx::query_as(
            "SELECT j.id, r.name, j.state, j.attempt, j.priority, j.created_at, j.finished_at, j.error,
                    CASE WHEN j.state = 'running' THEN (j.progress->>'percent')::float8 END AS percent,
                    r.left_records + r.right_records AS records, r.left_matched + r.right_matched AS matched,
                    r.matches, r.exceptions
             FROM unnest($3::job_state[]) AS s (state)
             CROSS JOIN LATERAL (
                 SELECT * FROM jobs
                 WHERE project_id = $1 AND kind = 'reconciliation' AND state = s.state AND id < $2
                 ORDER BY id DESC LIMIT $4
             ) AS j
             JOIN reconciliations r ON r.job_id = j.id
             ORDER BY j.id DESC LIMIT $4",
        )
        .bind(project_id)
        .bind(after.map_or(uuid::Uuid::max(), |after| after.0))
        .bind(states)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }
}
