//! What happened in a project lately, in a few figures.

use super::changes::Seen;
use super::{Store, StoreError};
use crate::ids::ProjectId;
use crate::job::JobState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of a project's reconciliations of one period, those that have completed. Each record counts once: of several runs
/// over the same two files (by what is in them) the newest alone, and a record that a chain carries on in the run that
/// has it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Statistics {
    /// Both sides together.
    pub records: i64,
    /// Of [`Self::records`], those inside matches.
    pub matched: i64,
    pub matches: i64,
    pub exceptions: i64,
    /// By the kind's name; kinds without exceptions are absent.
    #[sqlx(json)]
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub rejected_lines: i64,
    /// Completed runs that are in none of the figures above, because another one over the same files is.
    pub repeated_runs: i64,
}

/// `$1` project, `$2` seconds. Of a run that another one continues, what that one carried in is left to it: what is
/// behind it are confirmed matches and what review settled. Runs of a chain are never repetitions, whatever their files.
const TOTALS: &str = "
    WITH ranged AS MATERIALIZED (
        SELECT r.left_records + r.right_records AS records, r.left_matched + r.right_matched AS matched, r.matches,
               r.suggested, r.exceptions, r.left_rejected + r.right_rejected AS rejected_lines, r.exceptions_by_kind,
               next.job_id IS NOT NULL AS is_continued,
               r.continues IS NOT NULL OR next.job_id IS NOT NULL AS is_in_chain,
               coalesce((next.open_items->>'carried_in')::bigint, 0) AS carried_out,
               row_number() OVER (
                   PARTITION BY lf.sha256, rf.sha256
                   ORDER BY r.continues IS NOT NULL OR next.job_id IS NOT NULL DESC, r.job_id DESC
               ) AS place
        FROM reconciliations r
        LEFT JOIN reconciliations next ON next.continues = r.job_id AND next.completed_at IS NOT NULL
        JOIN data_sources ls ON ls.id = r.left_source_id JOIN files lf ON lf.id = ls.file_id
        JOIN data_sources rs ON rs.id = r.right_source_id JOIN files rf ON rf.id = rs.file_id
        WHERE r.project_id = $1 AND r.job_id >= first_id_at(now() - $2 * interval '1 second')
          AND r.completed_at IS NOT NULL
    ), counted AS (
        SELECT greatest(records - carried_out, 0) AS records, least(matched, records - carried_out) AS matched,
               CASE WHEN is_continued THEN matches - suggested ELSE matches END AS matches,
               CASE WHEN is_continued THEN 0 ELSE exceptions END AS exceptions, rejected_lines,
               CASE WHEN is_continued THEN '{}' ELSE exceptions_by_kind END AS exceptions_by_kind
        FROM ranged WHERE place = 1 OR is_in_chain
    )
    SELECT coalesce(sum(records), 0)::bigint AS records, coalesce(sum(greatest(matched, 0)), 0)::bigint AS matched,
           coalesce(sum(matches), 0)::bigint AS matches, coalesce(sum(exceptions), 0)::bigint AS exceptions,
           coalesce(sum(rejected_lines), 0)::bigint AS rejected_lines,
           (SELECT count(*) FROM ranged WHERE place > 1 AND NOT is_in_chain) AS repeated_runs,
           (SELECT coalesce(jsonb_object_agg(kind, sum), '{}')
            FROM (SELECT kind, sum(count::bigint)::bigint
                  FROM counted, jsonb_each_text(exceptions_by_kind) AS by_kind (kind, count)
                  GROUP BY kind) AS kinds) AS exceptions_by_kind,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
    FROM counted";

impl Store {
    /// The jobs of a project's reconciliations submitted in the last `period`; states without any are absent. Reads one
    /// range of `jobs_project`: ids carry the time they were made.
    pub async fn job_states(
        &self,
        project_id: ProjectId,
        period: Duration,
    ) -> Result<BTreeMap<JobState, i64>, StoreError> {
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
        Ok(states.into_iter().collect())
    }

    /// Figures of the reconciliations submitted in the last `period`. Reads one range of `reconciliations_project`. To be
    /// kept for a while: each change but the passing of time is told ([`super::changes`]).
    pub async fn statistics(
        &self,
        project_id: ProjectId,
        period: Duration,
    ) -> Result<Seen<Statistics>, StoreError> {
        let seen = sqlx::query_as(TOTALS).bind(project_id).bind(period.as_secs_f64());
        Ok(seen.fetch_one(self.pool()).await?)
    }
}
