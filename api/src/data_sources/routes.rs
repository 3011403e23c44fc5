//! The routes of data sources.

use super::MappingBody;
use super::mapping_body::mistake;
use crate::caller::Caller;
use crate::page::{self, Page};
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::read::{Fields, JsonDraft, Parameters, PathId, Query, ReadBody, ReadQuery, id, object, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{DataSourceId, FileId, ProjectId};
use shared::store::data_sources::{DataSource, NewDataSource};
use shared::store::files::File;
use shared::store::projects::ProjectRole;
use sources::{Format, Mapping, MappingError, Peek, ReadError};
use std::io;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_data_sources, create_data_source))
        .routes(routes!(show_data_source))
}

/// A file and the meaning of its columns.
#[derive(ToSchema)]
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

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DataSourceList {
    #[param(value_type = Uuid)]
    project_id: ProjectId,
    /// Only data sources older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<DataSourceId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for DataSourceList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let project_id = parameters.required("project_id", Parameters::id);
        let after = parameters.optional("after", Parameters::id);
        let limit = page::limit(parameters);
        Some(Self { project_id: project_id?, after, limit })
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
    params(DataSourceList), responses((status = 200, description = "A page of data sources", body = DataSourcePage))
)]
async fn list_data_sources(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<DataSourceList>,
) -> Result<Json<DataSourcePage>, Problem> {
    api.access_project(&caller, query.project_id, ProjectRole::Viewer).await?;
    let found = api.store.data_sources(query.project_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("project_id", Some(query.project_id.to_string())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/data-sources", &kept, |last| last.id);
    Ok(Json(DataSourcePage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Say what the columns of a file mean. Checked against the header of the file.
#[utoipa::path(
    post, path = "/api/data-sources", tag = "data sources", security(("access_token" = [])),
    request_body = DataSourceBody, responses((status = 201, description = "Made", body = DataSourceAnswer))
)]
async fn create_data_source(
    State(api): State<Api>,
    caller: Caller,
    JsonDraft { body, mut mistakes }: JsonDraft<DataSourceBody>,
) -> Result<(StatusCode, Json<DataSourceAnswer>), Problem> {
    let Some((body, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    api.access_project(&caller, project_id, ProjectRole::Operator).await?;
    let file = match body.file_id {
        Some(id) => file_of(&api, project_id, id, &mut mistakes).await?,
        None => None,
    };
    let mapping = match body.mapping.as_ref().map(MappingBody::check) {
        Some(Ok(mapping)) => Some(mapping),
        Some(Err(wrong)) => {
            mistakes.extend(wrong);
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
    let source = api.store.insert_data_source(&new).await?;
    Ok((StatusCode::CREATED, Json(source.into())))
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

/// What the beginning of the file says about the mapping. Reads at most 1 MiB, in a thread that may block.
async fn check_columns(api: &Api, file: &File, mapping: Mapping) -> Result<Vec<MappingError>, Problem> {
    let (objects, key) = (api.objects.clone(), file.object_key.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let peek = sources::peek_columns(objects.open(&key)?);
        Ok::<_, io::Error>(match peek {
            Ok(peek) => against(&mapping, &peek),
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::MissingColumns(errors) | ReadError::InvalidMapping(errors)) => errors,
            Err(error) => vec![MappingError { at: "format".into(), says: error.to_string() }],
        })
    });
    match looked.await {
        Ok(Ok(errors)) => Ok(errors),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Problem::new(ProblemKind::Conflict, "The content of the file is gone from the object store"))
        }
        Ok(Err(error)) => Err(Problem::internal("reading an upload", &error)),
        Err(error) => Err(Problem::internal("reading an upload", &error)),
    }
}

/// Only what is certain: the worker reads the whole file later and says the rest.
fn against(mapping: &Mapping, peek: &Peek) -> Vec<MappingError> {
    let error = |at: &str, says: String| vec![MappingError { at: at.into(), says }];
    // The mapping says where the header is or how it is encoded, and the first look saw something else.
    let looks_elsewhere = mapping.csv.header_line.is_some_and(|line| peek.header_line != Some(line))
        || mapping.csv.encoding.is_some()
        || mapping.excel.sheet.is_some()
        || mapping.excel.header_row.is_some_and(|row| peek.excel.header_row != Some(row));
    match (mapping.format, peek.format) {
        (Format::Csv, Format::Json) => error("format", "the file looks like JSON".into()),
        (Format::Json, Format::Csv) => error("format", "the file looks like CSV".into()),
        (wanted, seen) if wanted != seen => error("format", format!("the file looks like {}", seen.as_str())),
        (Format::Csv | Format::Excel, _) if looks_elsewhere => vec![],
        (Format::Csv, _) => {
            let errors = mapping.check_header(&peek.columns);
            let delimiter = peek.delimiter.unwrap_or(mapping.csv.delimiter);
            if delimiter == mapping.csv.delimiter {
                errors
            } else if errors.is_empty() {
                error("csv.delimiter", format!("the columns of the file are separated by {delimiter:?}"))
            } else {
                // The delimiter is a guess there.
                vec![]
            }
        }
        (Format::Excel | Format::Parquet, _) => mapping.check_header(&peek.columns),
        // Their columns are fixed by the format, and checked with the mapping.
        (Format::Mt940 | Format::Camt | Format::Ofx | Format::Bai2, _) => vec![],
        (Format::Json, _) => {
            // Optional members may be absent in the first element.
            let mut errors = mapping.check_header(&peek.columns);
            errors.retain(|error| !error.at.starts_with("fields."));
            errors
        }
    }
}

/// One data source.
#[utoipa::path(
    get, path = "/api/data-sources/{id}", tag = "data sources", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The data source", body = DataSourceAnswer))
)]
async fn show_data_source(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<DataSourceId>,
) -> Result<Json<DataSourceAnswer>, Problem> {
    let source = api.store.data_source(id).await?.ok_or_else(Problem::not_found)?;
    api.access_project(&caller, source.project_id, ProjectRole::Viewer).await?;
    Ok(Json(source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<DataSourceBody>();
        crate::document::assert_query_is_read::<DataSourceList>();
    }

    fn mapping(json: serde_json::Value) -> Mapping {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_what_is_certain_about_a_file_is_a_mistake() {
        let csv = |delimiter: &str| {
            mapping(serde_json::json!({
                "format": "csv", "csv": {"delimiter": delimiter}, "date": {"column": "d"},
                "amount": {"column": "a"}, "currency": {"fixed": "EUR"}, "fields": {"reference": "r"},
            }))
        };
        let places = |mapping: &Mapping, bytes: &str| -> Vec<String> {
            against(mapping, &sources::peek_columns(bytes.as_bytes()).unwrap())
                .into_iter()
                .map(|e| e.at)
                .collect()
        };
        assert!(places(&csv(";"), "d;a;r\n").is_empty());
        assert_eq!(places(&csv(";"), "d;x;y\n"), ["amount.column", "fields.reference"]);
        assert_eq!(places(&csv(","), "d;a;r\n"), ["csv.delimiter"]);
        assert!(
            places(&csv(":"), "d:a:r, and s\n").is_empty(),
            "another delimiter than those that are guessed"
        );
        assert_eq!(places(&csv(","), "[{\"d\": 1}]"), ["format"]);
        let json = mapping(serde_json::json!({
            "format": "json", "date": {"column": "d"}, "amount": {"column": "a"}, "currency": {"fixed": "EUR"},
            "fields": {"reference": "r"},
        }));
        assert!(places(&json, r#"[{"d": 1, "a": 2}]"#).is_empty());
        assert_eq!(places(&json, r#"[{"d": 1, "r": 2}]"#), ["amount.column"]);
        assert_eq!(places(&json, "d,a,r\n"), ["format"]);
    }
}
