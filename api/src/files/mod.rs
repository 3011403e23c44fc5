//! `/api/files`.

pub(crate) mod delete;
pub(crate) mod dry_run;
pub(crate) mod preview;
pub(crate) mod typed;
pub(crate) mod upload;

use crate::guard::Granted;
use crate::page::ProjectPage;
use crate::problem::{Problem, ProblemKind};
use crate::read::Query;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::FileId;
use shared::store::files::File;
use std::io;
use utoipa::ToSchema;
use uuid::Uuid;

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

#[derive(Serialize, ToSchema)]
pub(crate) struct FilePage {
    /// Newest first.
    items: Vec<FileAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Files of a project.
#[utoipa::path(
    get, path = "/api/files", tag = "files", security(("access_token" = [])), params(ProjectPage),
    responses((status = 200, description = "A page of files", body = FilePage))
)]
pub(crate) async fn list_files(
    State(api): State<Api>,
    granted: Granted,
    Query(query): Query<ProjectPage>,
) -> Result<Json<FilePage>, Problem> {
    granted.must_be(query.project_id)?;
    let found = api.store.files(query.project_id, query.after.map(FileId), query.limit + 1).await?;
    let (items, next) = query.cut(found, "/api/files", |last| last.id.0);
    Ok(Json(FilePage { items: items.into_iter().map(Into::into).collect(), next }))
}

impl Api {
    /// Looks into a file in a thread that may block.
    pub(crate) async fn look_into<T: Send + 'static>(
        &self,
        file: &File,
        look: impl FnOnce(std::fs::File) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let (objects, key) = (self.objects.clone(), file.object_key.clone());
        match tokio::task::spawn_blocking(move || look(objects.open(&key)?)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(Problem::new(
                ProblemKind::Conflict,
                "The content of the file is gone from the object store",
            )),
            Ok(Err(error)) => Err(Problem::internal("reading an upload", &error)),
            Err(error) => Err(Problem::internal("reading an upload", &error)),
        }
    }
}
