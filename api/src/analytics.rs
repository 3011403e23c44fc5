//! `/api/analytics/dashboard`.

use crate::guard::Granted;
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::reconciliation::{LineAnswer, State as StateWord};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::ids::ProjectId;
use shared::job::JobState;
use shared::store::analytics::Statistics;
use shared::store::changes::Seen;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

const PERIOD_DAYS: u32 = 30;
const RECENT_MAX: u32 = 10;

/// What is kept of a project's runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// When they were counted.
    completed_jobs: i64,
    statistics: Statistics,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DashboardOf {
    #[param(value_type = Uuid)]
    project_id: ProjectId,
}

impl ReadQuery for DashboardOf {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self { project_id: parameters.required("project_id", Parameters::id)? })
    }
}

/// A project's reconciliations of the last 30 days; those that grow older than that leave the figures within half an hour. Each record counts once: of several runs over the same two files (by
/// what is in them) the newest alone, and a record that a chain carries on in the run that has it last.
#[derive(Serialize, ToSchema)]
#[schema(as = Dashboard)]
pub(crate) struct DashboardAnswer {
    period_days: u32,
    /// States without jobs are absent.
    #[schema(value_type = BTreeMap<String, i64>)]
    jobs_by_state: BTreeMap<StateWord, i64>,
    /// Of completed reconciliations, both sides together.
    records: i64,
    matched_records: i64,
    /// `matched_records` of `records`, 0 to 1; null without records.
    matched_share: Option<f64>,
    matches: i64,
    exceptions: i64,
    /// Kinds without exceptions are absent.
    exceptions_by_kind: BTreeMap<String, i64>,
    rejected_lines: i64,
    /// Completed runs that are in none of these figures, because a newer one over the same files is.
    repeated_runs: i64,
    /// The ten newest of the project, of any age.
    recent: Vec<LineAnswer>,
}

/// What happened in a project lately.
#[utoipa::path(
    get, path = "/api/analytics/dashboard", tag = "analytics", security(("access_token" = [])),
    params(DashboardOf), responses((status = 200, description = "The figures", body = DashboardAnswer))
)]
pub(crate) async fn show_dashboard(
    State(api): State<Api>,
    granted: Granted,
    Query(DashboardOf { project_id }): Query<DashboardOf>,
) -> Result<Json<DashboardAnswer>, Problem> {
    granted.must_be(project_id)?;
    let period = Duration::from_secs(u64::from(PERIOD_DAYS) * 86_400);
    // What changes with each step of a job is asked for each time, and tells whether what is kept is still right.
    let jobs_by_state = api.store.job_states(project_id, period).await?;
    let completed_jobs = jobs_by_state.get(&JobState::Completed).copied().unwrap_or(0);
    let load = || async {
        let Seen { value: statistics, horizon } = api.store.statistics(project_id, period).await?;
        Ok(Some(Seen { value: Figures { completed_jobs, statistics }, horizon }))
    };
    let mut figures = api.caches.statistics.get(project_id.0, load).await?;
    if figures.as_ref().is_none_or(|kept| kept.completed_jobs != completed_jobs) {
        // A run has completed, and the notification in its commit is on its way.
        api.caches.statistics.forget(project_id.0);
        figures = api.caches.statistics.get(project_id.0, load).await?;
    }
    let figures = figures.ok_or_else(Problem::not_found)?.statistics;
    let recent = api.store.reconciliation_lines(project_id, None, None, RECENT_MAX).await?;
    Ok(Json(DashboardAnswer {
        period_days: PERIOD_DAYS,
        jobs_by_state: jobs_by_state.into_iter().map(|(state, n)| (state.into(), n)).collect(),
        records: figures.records,
        matched_records: figures.matched,
        matched_share: (figures.records > 0).then(|| figures.matched as f64 / figures.records as f64),
        matches: figures.matches,
        exceptions: figures.exceptions,
        exceptions_by_kind: figures.exceptions_by_kind,
        rejected_lines: figures.rejected_lines,
        repeated_runs: figures.repeated_runs,
        recent: recent.into_iter().map(Into::into).collect(),
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::DashboardOf>();
    }
}
