//! The routes of data sources.

use super::MappingBody;
use super::columns::check_columns;
use super::mapping_body::mistake;
use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::page::ProjectPage;
use crate::problem::{Mistake, Problem};
use crate::read::{Fields, JsonDraft, PathId, Query, ReadBody, id, object, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use shared::ids::{DataSourceId, FileId, ProjectId};
use shared::store::audit::Note;
use shared::store::data_sources::{self, DataSource, NewDataSource};
use shared::store::files::File;
use utoipa::ToSchema;
use uuid::Uuid;

/// A file and the meaning of its columns.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataSourceBody {
    #[schema(value_type = Uuid)]
    project_id: Option<ProjectId>,
    /// A file of the same project.
    #[schema(value_type = Uuid)]
    file_id: Option<FileId>,
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(value_type = MappingBody)]
    mapping: Option<MappingBody>,
}

impl ReadBody for DataSourceBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            project_id: fields.required("project_id", id),
            file_id: fields.required("file_id", id),
            name: fields.required("name", text(1..=200)),
            mapping: fields.required("mapping", object(MappingBody::read)),
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DataSource)]
pub(crate) struct DataSourceAnswer {
    id: Uuid,
    project_id: Uuid,
    file_id: Uuid,
    name: String,
    #[schema(value_type = MappingBody)]
    mapping: serde_json::Value,
    created_at: DateTime<Utc>,
}

impl From<DataSource> for DataSourceAnswer {
    fn from(source: DataSource) -> Self {
        Self {
            id: source.id.0,
            project_id: source.project_id.0,
            file_id: source.file_id.0,
            name: source.name,
            mapping: source.mapping,
            created_at: source.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DataSourcePage {
    /// Newest first.
    items: Vec<DataSourceAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Data sources of a project.
#[utoipa::path(
    get, path = "/api/data-sources", tag = "data sources", security(("access_token" = [])),
    params(ProjectPage), responses((status = 200, description = "A page of data sources", body = DataSourcePage))
)]
pub(crate) async fn list_data_sources(
    State(api): State<Api>,
    granted: Granted,
    Query(query): Query<ProjectPage>,
) -> Result<Json<DataSourcePage>, Problem> {
    granted.must_be(query.project_id)?;
    let found =
        api.store.data_sources(query.project_id, query.after.map(DataSourceId), query.limit + 1).await?;
    let (items, next) = query.cut(found, "/api/data-sources", |last| last.id.0);
    Ok(Json(DataSourcePage { items: items.into_iter().map(Into::into).collect(), next }))
}

/// Say what the columns of a file mean. Checked against the header of the file.
#[utoipa::path(
    post, path = "/api/data-sources", tag = "data sources", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body = DataSourceBody, responses((status = 201, description = "Made", body = DataSourceAnswer))
)]
pub(crate) async fn create_data_source(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    repeatable: Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<DataSourceBody>,
) -> Result<Response, Problem> {
    let Some((body, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    granted.must_be(project_id)?;
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let file = match body.file_id {
        Some(id) => file_of(&api, project_id, id, &mut mistakes).await?,
        None => None,
    };
    let mapping = match body.mapping.as_ref().map(MappingBody::check) {
        Some(Ok(mapping)) => Some(mapping),
        Some(Err(wrong)) => {
            add_mistakes(&mut mistakes, wrong);
            None
        }
        None => None,
    };
    if let (Some(file), Some(mapping)) = (&file, &mapping) {
        mistakes.extend(check_columns(&api, file, mapping.clone()).await?.iter().map(mistake));
    }
    let (Some(file), Some(mapping), Some(name)) = (file, mapping, body.name) else {
        return Err(Problem::invalid(mistakes));
    };
    if !mistakes.is_empty() {
        return Err(Problem::invalid(mistakes));
    }
    let new = NewDataSource {
        id: DataSourceId::new(),
        project_id,
        file_id: file.id,
        name,
        mapping: serde_json::to_value(&mapping).expect("a mapping is always JSON"),
        created_by: caller.user_id,
    };
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let answer = DataSourceAnswer::from(data_sources::insert(&mut tx, &new).await?);
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, None, &answer).await?;
    let made = json!({"name": new.name, "file_id": new.file_id, "mapping": new.mapping});
    Note::of(project_id, "data_source", new.id).after(made).commit(tx).await?;
    Ok(response)
}

/// What is missing is told once, though both its shape and its meaning ask for it.
pub(crate) fn add_mistakes(mistakes: &mut Vec<Mistake>, more: Vec<Mistake>) {
    let new = more.into_iter().filter(|one| mistakes.iter().all(|known| known.pointer != one.pointer));
    let new: Vec<Mistake> = new.collect();
    mistakes.extend(new);
}

async fn file_of(
    api: &Api,
    project_id: ProjectId,
    id: FileId,
    mistakes: &mut Vec<Mistake>,
) -> Result<Option<File>, Problem> {
    let file = api.store.file(id).await?.filter(|file| file.project_id == project_id);
    if file.is_none() {
        mistakes.push(Mistake {
            pointer: Some("#/file_id".into()),
            parameter: None,
            code: "unknown",
            detail: "there is no such file in the project".into(),
        });
    }
    Ok(file)
}

/// One data source.
#[utoipa::path(
    get, path = "/api/data-sources/{id}", tag = "data sources", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The data source", body = DataSourceAnswer))
)]
pub(crate) async fn show_data_source(
    State(api): State<Api>,
    PathId(id): PathId<DataSourceId>,
) -> Result<Json<DataSourceAnswer>, Problem> {
    let source = api.store.data_source(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<DataSourceBody>();
    }
}
