//! Chains of reconciliations, each of which continues the one before it.

use super::{Store, StoreError};
use crate::ids::{DataSourceId, JobId};
use crate::job::JobState;
use chrono::{DateTime, Utc};

/// Runs of a chain that are shown: the newest. A month of years, or a year of days.
pub const CHAIN_RUNS_MAX: u32 = 500;

/// One run of a chain.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ChainRun {
    pub id: JobId,
    pub name: String,
    /// From 1. Runs that were cancelled or failed keep the place that they wanted.
    pub position: i32,
    pub state: JobState,
    pub left_source_id: DataSourceId,
    pub right_source_id: DataSourceId,
    pub created_at: DateTime<Utc>,
    /// Of both sides, open items that were carried in included; null until it has completed.
    pub records: Option<i64>,
    pub matched: Option<i64>,
    pub exceptions: Option<i64>,
}

impl Store {
    /// The chain that a run belongs to, first run first, the newest [`CHAIN_RUNS_MAX`] of it. Runs past their retention
    /// are gone. Empty: there is no such run.
    pub async fn chain_of(&self, job_id: JobId) -> Result<Vec<ChainRun>, StoreError> {
        let mut runs: Vec<ChainRun> = sqlx::query_as(
            "WITH first AS (SELECT coalesce(chain_id, job_id) AS id FROM reconciliations WHERE job_id = $1),
             runs AS (
                 SELECT r.* FROM first JOIN reconciliations r ON r.job_id = first.id
                 UNION ALL
                 SELECT r.* FROM first JOIN reconciliations r ON r.chain_id = first.id
             )
             SELECT r.job_id AS id, r.name, r.chain_position AS position, j.state, r.left_source_id,
                    r.right_source_id, r.created_at, r.left_records + r.right_records AS records,
                    r.left_matched + r.right_matched AS matched, r.exceptions
             FROM runs r JOIN jobs j ON j.id = r.job_id
             ORDER BY r.chain_position DESC, r.job_id DESC LIMIT $2",
        )
        .bind(job_id)
        .bind(i64::from(CHAIN_RUNS_MAX))
        .fetch_all(self.pool())
        .await?;
        runs.reverse();
        Ok(runs)
    }
}
