//! `/api/projects/{id}/members`.

use crate::page::{self, Page};
use crate::problem::{Problem, ProblemKind};
use crate::projects::Role;
use crate::read::{Fields, JsonBody, Parameters, PathId, Query, ReadBody, ReadQuery, SecondId, choice};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{ProjectId, UserId};
use shared::store::members::{Member, MemberChange};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MemberList {
    /// Only members behind this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<UserId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for MemberList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::id);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberAnswer {
    user_id: Uuid,
    email: String,
    name: String,
    role: Role,
    created_at: DateTime<Utc>,
}

impl From<Member> for MemberAnswer {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user_id.0,
            email: member.email,
            name: member.name,
            role: member.role.into(),
            created_at: member.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberPage {
    items: Vec<MemberAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    role: Role,
}

impl ReadBody for NewRole {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { role: fields.required("role", choice)? })
    }
}

/// Who belongs to a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/members", tag = "projects", params(("id" = Uuid, Path), MemberList),
    responses((status = 200, description = "A page of members", body = MemberPage))
)]
pub(crate) async fn list_members(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    Query(query): Query<MemberList>,
) -> Result<Json<MemberPage>, Problem> {
    let found = api.store.members(project_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let path = format!("/api/projects/{project_id}/members");
    let next = page.next(&path, &[("limit", Some(query.limit.to_string()))], |last| last.user_id);
    Ok(Json(MemberPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Give a member another role. It counts from the next request on.
#[utoipa::path(
    put, path = "/api/projects/{id}/members/{user_id}", tag = "projects", request_body = NewRole,
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 409, description = "Nobody would be left to administer the project",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change_member(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    SecondId(user_id): SecondId<UserId>,
    JsonBody(new): JsonBody<NewRole>,
) -> Result<StatusCode, Problem> {
    answer(api.store.change_member(project_id, user_id, new.role.into()).await?)
}

/// End a membership, and the API keys that act for this person in the project.
#[utoipa::path(
    delete, path = "/api/projects/{id}/members/{user_id}", tag = "projects",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses(
        (status = 204, description = "No member any more"),
        (status = 409, description = "Nobody would be left to administer the project",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn remove_member(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    SecondId(user_id): SecondId<UserId>,
) -> Result<StatusCode, Problem> {
    answer(api.store.remove_member(project_id, user_id, api.clock.now()).await?)
}

fn answer(change: MemberChange) -> Result<StatusCode, Problem> {
    match change {
        MemberChange::Done => Ok(StatusCode::NO_CONTENT),
        MemberChange::Unknown => Err(Problem::not_found()),
        MemberChange::LastAdmin => {
            Err(Problem::new(ProblemKind::Conflict, "The project would have no administrator left"))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::NewRole>();
        crate::document::assert_query_is_read::<super::MemberList>();
    }
}
