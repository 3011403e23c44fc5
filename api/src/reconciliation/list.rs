//! The reconciliations of a project.

use crate::caller::Caller;
use crate::guard::Granted;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{JobId, ProjectId};
use shared::job::JobState;
use shared::store::reconciliation_lines::ReconciliationLine;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobState)]
pub(crate) enum State {
    /// Waits for its time, perhaps between two attempts.
    Scheduled,
    /// Waits for a worker.
    Available,
    Running,
    /// Done, with results. Final.
    Completed,
    /// Stopped on request, without results. Final.
    Cancelled,
    /// Failed for good; `error` says why. Final.
    Dead,
}

impl From<JobState> for State {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Scheduled => State::Scheduled,
            JobState::Available => State::Available,
            JobState::Running => State::Running,
            JobState::Completed => State::Completed,
            JobState::Cancelled => State::Cancelled,
            JobState::Dead => State::Dead,
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReconciliationList {
    #[param(value_type = Uuid)]
    project_id: ProjectId,
    #[param(value_type = Option<State>)]
    state: Option<JobState>,
    /// Only reconciliations older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<JobId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for ReconciliationList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let project_id = parameters.required("project_id", Parameters::id);
        let state = parameters.optional("state", Parameters::choice);
        let after = parameters.optional("after", Parameters::id);
        let limit = page::limit(parameters);
        Some(Self { project_id: project_id?, state, after, limit })
    }
}

/// A reconciliation in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ReconciliationLine)]
pub(crate) struct LineAnswer {
    id: Uuid,
    name: String,
    state: State,
    /// Counted attempts so far.
    attempt: i32,
    priority: i16,
    /// 0 to 100, while running.
    percent: Option<f64>,
    error: Option<String>,
    /// Of both sides together; these figures are null until it has completed.
    records: Option<i64>,
    /// Of those, how many are inside matches.
    matched: Option<i64>,
    matches: Option<i64>,
    exceptions: Option<i64>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<ReconciliationLine> for LineAnswer {
    fn from(line: ReconciliationLine) -> Self {
        Self {
            id: line.id.0,
            name: line.name,
            state: line.state.into(),
            attempt: line.attempt,
            priority: line.priority,
            percent: line.percent,
            error: line.error,
            records: line.records,
            matched: line.matched,
            matches: line.matches,
            exceptions: line.exceptions,
            created_at: line.created_at,
            finished_at: line.finished_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReconciliationPage {
    /// Newest first.
    items: Vec<LineAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Reconciliations of a project.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs", tag = "reconciliation", security(("access_token" = [])),
    params(ReconciliationList),
    responses((status = 200, description = "A page of reconciliations", body = ReconciliationPage))
)]
pub(crate) async fn list_reconciliations(
    axum::extract::State(api): axum::extract::State<Api>,
    caller: Caller,
    granted: Granted,
    Query(query): Query<ReconciliationList>,
) -> Result<Json<ReconciliationPage>, Problem> {
    let ReconciliationList { project_id, state, after, limit } = query;
    granted.must_be(project_id)?;
    let found = api.reading(&caller).await?.reconciliation_lines(project_id, state, after, limit + 1).await?;
    let page = Page::cut(found, limit);
    let kept = [
        ("project_id", Some(project_id.to_string())),
        ("state", state.map(|state| state.to_string())),
        ("limit", Some(limit.to_string())),
    ];
    let next = page.next("/api/reconciliation/jobs", &kept, |last| last.id);
    Ok(Json(ReconciliationPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::ReconciliationList>();
    }
}
