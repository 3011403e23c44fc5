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
