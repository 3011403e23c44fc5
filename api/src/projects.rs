//! `/api/projects`.

use crate::caller::Caller;
use crate::idempotency::Repeatable;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Parameters, PathId, Query, ReadBody, ReadQuery, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use shared::ids::ProjectId;
use shared::store::audit::Note;
use shared::store::projects::{self, Project, ProjectRole};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_projects, create_project)).routes(routes!(show_project))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

impl ReadBody for NewProject {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { name: fields.required("name", text(1..=200))? })
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProjectList {
    /// Only projects older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<ProjectId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for ProjectList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::id);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

/// What the caller may do: each role may do everything the ones before it may.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    Viewer,
    Operator,
    Approver,
    Admin,
}

impl From<ProjectRole> for Role {
    fn from(role: ProjectRole) -> Self {
        match role {
            ProjectRole::Viewer => Role::Viewer,
            ProjectRole::Operator => Role::Operator,
            ProjectRole::Approver => Role::Approver,
            ProjectRole::Admin => Role::Admin,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct ProjectAnswer {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    role: Role,
}

impl From<Project> for ProjectAnswer {
    fn from(project: Project) -> Self {
        Self {
            id: project.id.0,
            name: project.name,
            created_at: project.created_at,
            role: project.role.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectPage {
    /// Newest first.
    items: Vec<ProjectAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// The projects the caller may see.
#[utoipa::path(
    get, path = "/api/projects", tag = "projects", security(("access_token" = [])), params(ProjectList),
    responses((status = 200, description = "A page of projects", body = ProjectPage))
)]
async fn list_projects(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ProjectList>,
) -> Result<Json<ProjectPage>, Problem> {
    let found = api.store.projects(caller.user_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let next = page.next("/api/projects", &[("limit", Some(query.limit.to_string()))], |last| last.id);
    Ok(Json(ProjectPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Make a project. The caller becomes its first administrator.
#[utoipa::path(
    post, path = "/api/projects", tag = "projects", security(("access_token" = [])), request_body = NewProject,
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    responses((status = 201, description = "Made", body = ProjectAnswer))
)]
async fn create_project(
    State(api): State<Api>,
    caller: Caller,
    repeatable: Repeatable,
    JsonBody(new): JsonBody<NewProject>,
) -> Result<Response, Problem> {
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let project = projects::create(&mut tx, ProjectId::new(), &new.name, caller.user_id).await?;
    let answer = ProjectAnswer::from(project);
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, None, &answer).await?;
    let made = json!({"name": new.name, "admin": caller.user_id});
    Note::of(ProjectId(answer.id), "project", answer.id).after(made).commit(tx).await?;
    Ok(response)
}

/// One project.
#[utoipa::path(
    get, path = "/api/projects/{id}", tag = "projects", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The project", body = ProjectAnswer))
)]
async fn show_project(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<ProjectAnswer>, Problem> {
    let project = api.store.project(caller.user_id, id).await?;
    project.map(|project| Json(project.into())).ok_or_else(Problem::not_found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{assert_query_is_read, assert_schema_is_read};

    #[test]
    fn input_is_read_as_documented() {
        assert_schema_is_read::<NewProject>();
        assert_query_is_read::<ProjectList>();
    }
}
