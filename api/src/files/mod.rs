//! `/api/files`.

mod upload;

use crate::caller::Caller;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{FileId, ProjectId};
use shared::store::files::File;
use shared::store::projects::ProjectRole;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_files))
}

pub(crate) fn long_routes() -> OpenApiRouter<Api> {
    upload::routes()
}

#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub(crate) struct FileAnswer {
    id: Uuid,
    project_id: Uuid,
    /// As the uploader called it.
    name: String,
    size_bytes: u64,
    /// 64 hex digits.
    sha256: String,
    created_at: DateTime<Utc>,
}

impl From<File> for FileAnswer {
    fn from(file: File) -> Self {
        Self {
            id: file.id.0,
            project_id: file.project_id.0,
            name: file.name,
            size_bytes: file.size_bytes,
            sha256: file.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            created_at: file.created_at,
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileList {
    #[param(value_type = Uuid)]
    project_id: ProjectId,
    /// Only files older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<FileId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for FileList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let project_id = parameters.required("project_id", Parameters::id);
        let after = parameters.optional("after", Parameters::id);
        let limit = page::limit(parameters);
        Some(Self { project_id: project_id?, after, limit })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FilePage {
    /// Newest first.
    items: Vec<FileAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Files of a project.
#[utoipa::path(
    get, path = "/api/files", tag = "files", security(("access_token" = [])), params(FileList),
    responses((status = 200, description = "A page of files", body = FilePage))
)]
async fn list_files(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<FileList>,
) -> Result<Json<FilePage>, Problem> {
    api.access_project(&caller, query.project_id, ProjectRole::Viewer).await?;
    let found = api.store.files(query.project_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("project_id", Some(query.project_id.to_string())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/files", &kept, |last| last.id);
    Ok(Json(FilePage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<FileList>();
    }
}
