//! Deleting a file that no reconciliation needs.

use crate::problem::{Problem, ProblemKind};
use crate::read::PathId;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use shared::ids::FileId;
use shared::store::files::Deleted;

/// Delete a file, and the data sources made of it.
#[utoipa::path(
    delete, path = "/api/files/{id}", tag = "files", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "A reconciliation was made from it; delete that first",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete_file(
    State(api): State<Api>,
    PathId(id): PathId<FileId>,
) -> Result<StatusCode, Problem> {
    match api.store.delete_file(id).await? {
        Deleted::Unknown => Err(Problem::not_found()),
        Deleted::Needed => Err(Problem::new(
            ProblemKind::Conflict,
            "A reconciliation was made from it; delete that first, or let its retention pass",
        )),
        Deleted::Done(key) => {
            tracing::info!(file_id = %id, "deleted a file");
            // On its own, so that a client that goes away now leaves nothing behind.
            let objects = api.objects.clone();
            tokio::spawn(async move {
                if let Err(error) = objects.delete(&key).await {
                    tracing::error!(%error, key = key.as_str(), "an object without a row stays behind");
                }
            });
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
