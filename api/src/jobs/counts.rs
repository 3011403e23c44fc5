//! How many jobs there are in each state.

use crate::guard::Granted;
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::ids::ProjectId;
use shared::job::{JobKind, JobState};
use shared::store::jobs::JobFilter;
use utoipa::{IntoParams, ToSchema};

/// More is told as so many: an exact count of millions would cost what nobody reads.
const COUNTED_MAX: u32 = 10_000;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountsOf {
    /// Platform administrators may leave it out.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    #[param(value_type = Option<String>)]
    kind: Option<JobKind>,
}

impl ReadQuery for CountsOf {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self {
            project_id: parameters.optional("project_id", Parameters::id),
            kind: parameters.optional("kind", super::filter::kind),
        })
    }
}

/// Jobs by state, each counted up to `counted_up_to`.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobCounts {
    counted_up_to: u32,
    scheduled: u64,
    available: u64,
    running: u64,
    completed: u64,
    cancelled: u64,
    dead: u64,
}

/// Jobs by state.
#[utoipa::path(
    get, path = "/api/jobs/counts", tag = "jobs", security(("access_token" = [])), params(CountsOf),
    responses(
        (status = 200, description = "The counts", body = JobCounts),
        (status = 403, description = "All projects are for platform administrators",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn count_jobs(
    State(api): State<Api>,
    granted: Granted,
    Query(query): Query<CountsOf>,
) -> Result<Json<JobCounts>, Problem> {
    granted.must_be_or_all(query.project_id)?;
    let count = async |state| {
        let filter = JobFilter {
            project_id: query.project_id,
            state: Some(state),
            kind: query.kind.clone(),
            queue: None,
            batch_id: None,
            created_from: None,
            created_before: None,
            error_fingerprint: None,
        };
        api.store.count_jobs(&filter, COUNTED_MAX).await
    };
    Ok(Json(JobCounts {
        counted_up_to: COUNTED_MAX,
        scheduled: count(JobState::Scheduled).await?,
        available: count(JobState::Available).await?,
        running: count(JobState::Running).await?,
        completed: count(JobState::Completed).await?,
        cancelled: count(JobState::Cancelled).await?,
        dead: count(JobState::Dead).await?,
    }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::CountsOf>();
    }
}
