//! Asking a reconciliation to stop.

use super::State as StateWord;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::read::PathId;
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
pub(crate) struct Cancellation {
    id: Uuid,
    /// `cancelled`, or `running` until its worker has noticed, within about a second.
    state: StateWord,
}

/// Stop a reconciliation. Nothing of it is kept. Asking twice does no harm.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs/{id}/cancel", tag = "reconciliation", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It stops", body = Cancellation),
        (status = 409, description = "It has completed or failed already", body = crate::problem::ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn cancel_reconciliation(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<(StatusCode, Json<Cancellation>), Problem> {
    match api.store.cancel_job(id, &caller.asker()).await? {
        None => Err(Problem::not_found()),
        Some(state @ (JobState::Completed | JobState::Dead)) => {
            Err(Problem::new(ProblemKind::AlreadyFinished, format!("The job is {state}")))
        }
        Some(state) => {
            tracing::info!(job_id = %id, %state, "asked a reconciliation to stop");
            Ok((StatusCode::ACCEPTED, Json(Cancellation { id: id.0, state: state.into() })))
        }
    }
}
