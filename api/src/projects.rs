//! `/api/projects`.

use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::page::{self, Page};
use crate::problem::{Mistake, Problem};
use crate::read::{Fields, JsonBody, Parameters, PathId, Query, ReadBody, ReadQuery, id, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::ids::{OrganisationId, ProjectId};
use shared::store::audit::Note;
use shared::store::projects::{self, Project, ProjectRole};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where it belongs; without it, to the organisation that the caller founded first, which is made if need be.
    #[schema(value_type = Option<Uuid>, nullable = false)]
    organisation_id: Option<OrganisationId>,
}

impl ReadBody for NewProject {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(1..=200));
        let organisation_id = fields.optional("organisation_id", id);
        Some(Self { name: name?, organisation_id })
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
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
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

impl From<Role> for ProjectRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => ProjectRole::Viewer,
            Role::Operator => ProjectRole::Operator,
            Role::Approver => ProjectRole::Approver,
            Role::Admin => ProjectRole::Admin,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
pub(crate) struct ProjectAnswer {
    id: Uuid,
    organisation_id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    role: Role,
}

impl From<Project> for ProjectAnswer {
    fn from(project: Project) -> Self {
        Self {
            id: project.id.0,
            organisation_id: project.organisation_id.0,
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
pub(crate) async fn list_projects(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<ProjectList>,
) -> Result<Json<ProjectPage>, Problem> {
    if let Some(only) = caller.only_project() {
        let project = api.store.project(caller.user_id, only).await?;
        let project = project.filter(|project| query.after.is_none_or(|after| project.id < after));
        return Ok(Json(ProjectPage { items: project.into_iter().map(Into::into).collect(), next: None }));
    }
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
pub(crate) async fn create_project(
    State(api): State<Api>,
    caller: Caller,
    repeatable: Repeatable,
    JsonBody(new): JsonBody<NewProject>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    if let Some(id) = new.organisation_id
        && !api.store.may_add_projects(caller.user_id, id).await?
    {
        return Err(Problem::invalid(vec![Mistake {
            pointer: Some("#/organisation_id".into()),
            parameter: None,
            code: "unknown",
            detail: "there is no such organisation, or the caller may make no projects in it".into(),
        }]));
    }
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let project =
        projects::create(&mut tx, ProjectId::new(), &new.name, caller.user_id, new.organisation_id).await?;
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
pub(crate) async fn show_project(
    State(api): State<Api>,
    granted: Granted,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<ProjectAnswer>, Problem> {
    granted.must_be(id)?;
    let facts = api.caches.projects.get(id.0, || api.store.project_facts(id)).await?;
    let facts = facts.ok_or_else(Problem::not_found)?;
    Ok(Json(facts.seen_by(granted.role()?).into()))
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
