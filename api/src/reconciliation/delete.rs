//! Deleting a reconciliation with everything that came out.

use crate::guard::Granted;
use crate::problem::{Problem, ProblemKind};
use crate::read::PathId;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use shared::ids::JobId;

/// Delete a finished reconciliation and its results.
#[utoipa::path(
    delete, path = "/api/reconciliation/jobs/{id}", tag = "reconciliation", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It has not finished: cancel it first. Or another continues it: delete that first",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete_reconciliation(
    State(api): State<Api>,
    granted: Granted,
    PathId(id): PathId<JobId>,
) -> Result<StatusCode, Problem> {
    if api.store.delete_reconciliation(id).await? {
        api.caches.statistics.forget(granted.project()?.0);
        tracing::info!(job_id = %id, "deleted a reconciliation");
        return Ok(StatusCode::NO_CONTENT);
    }
    match api.store.job(id).await? {
        // Somebody else was faster.
        None => Err(Problem::not_found()),
        Some(job) if !job.state.is_final() => Err(Problem::new(ProblemKind::NotFinished, "Cancel it first")),
        Some(_) => Err(Problem::new(
            ProblemKind::Conflict,
            "Another reconciliation continues it; delete that one first",
        )),
    }
}
