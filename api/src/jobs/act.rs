//! What one may ask of one job: stop, start over, do not wait.

use crate::caller::Caller;
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::PathId;
use crate::reconciliation::State as StateWord;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use shared::ids::JobId;
use shared::job::JobState;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
pub(crate) struct JobNow {
    id: Uuid,
    state: StateWord,
}

type Answer = Result<(StatusCode, Json<JobNow>), Problem>;

/// Stop a job. Asking twice does no harm.
#[utoipa::path(
    post, path = "/api/jobs/{id}/cancel", tag = "jobs", security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "Cancelled, or running until its worker has noticed, within about a second",
         body = JobNow),
        (status = 409, description = "It has completed or failed already", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn cancel_job(State(api): State<Api>, caller: Caller, PathId(id): PathId<JobId>) -> Answer {
    match api.store.cancel_job(id, &caller.asker()).await? {
        Some(state @ (JobState::Completed | JobState::Dead)) => Err(refused(state)),
        state => accepted(id, state, "asked a job to stop"),
    }
}

/// Have a dead job start over, with all its attempts before it.
#[utoipa::path(
    post, path = "/api/jobs/{id}/redrive", tag = "jobs", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It will run again", body = JobNow),
        (status = 409, description = "It is not dead, or an unfinished job stands in for it", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn redrive_job(State(api): State<Api>, caller: Caller, PathId(id): PathId<JobId>) -> Answer {
    let before = api.store.job(id).await?.map(|job| job.state);
    match (before, api.store.redrive_job(id, &caller.asker()).await?) {
        (Some(JobState::Dead), Some(JobState::Dead)) => {
            let detail = "An unfinished job of the same unique key stands in for it";
            Err(Problem::new(ProblemKind::Conflict, detail))
        }
        (Some(JobState::Dead), state) => {
            api.relay_wake.notify_one();
            accepted(id, state, "a dead job starts over")
        }
        (_, None) => Err(Problem::not_found()),
        (_, Some(state)) => Err(refused(state)),
    }
}

/// Have a job that waits for its time, perhaps between two attempts, run now.
#[utoipa::path(
    post, path = "/api/jobs/{id}/retry-now", tag = "jobs", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It is available, or was already", body = JobNow),
        (status = 409, description = "It is final", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn retry_job_now(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Answer {
    match api.store.make_job_due(id, &caller.asker()).await? {
        Some(state) if state.is_final() => Err(refused(state)),
        state => {
            api.relay_wake.notify_one();
            accepted(id, state, "a job need not wait any longer")
        }
    }
}

fn accepted(id: JobId, state: Option<JobState>, says: &'static str) -> Answer {
    let state = state.ok_or_else(Problem::not_found)?;
    tracing::info!(job_id = %id, %state, "{says}");
    Ok((StatusCode::ACCEPTED, Json(JobNow { id: id.0, state: state.into() })))
}

fn refused(state: JobState) -> Problem {
    if state.is_final() {
        Problem::new(ProblemKind::AlreadyFinished, format!("The job is {state}"))
    } else {
        Problem::new(ProblemKind::NotFinished, format!("The job is {state}"))
    }
}
