//! What happened in a project lately, in a few figures.

use super::{Store, StoreError};
use crate::ids::ProjectId;
use crate::job::JobState;
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
