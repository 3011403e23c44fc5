//! `/api/projects/{id}/invitations`: one-time tokens that make somebody a member. Nobody is made a member by their
//! address: that would tell whether it has an account.

use crate::auth::{Opaque, digest_of};
use crate::caller::Caller;
use crate::problem::{Mistake, Problem};
use crate::projects::Role;
use crate::read::{Fields, JsonBody, PathId, ReadBody, SecondId, choice, email, integer, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::ids::{InvitationId, ProjectId};
use shared::store::StoreError;
use shared::store::invitations::{Invitation, NewInvitation, Opens, accept};
use utoipa::ToSchema;
use uuid::Uuid;

const HOURS: std::ops::RangeInclusive<u32> = 1..=720;
const HOURS_DEFAULT: u32 = 168;
const SHOWN_MAX: u32 = 500;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationBody {
    role: Role,
    /// Whose it is; without it, of whoever has the token.
    #[schema(format = Email, nullable = false, min_length = 3, max_length = 254)]
    email: Option<String>,
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 720, default = 168)]
    hours: u32,
}

impl ReadBody for InvitationBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let role = fields.required("role", choice);
        let email = fields.optional("email", email);
        let hours = fields.optional("hours", integer(HOURS)).unwrap_or(HOURS_DEFAULT);
        Some(Self { role: role?, email, hours })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationAnswer {
    id: Uuid,
    role: Role,
    email: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<Invitation> for InvitationAnswer {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.0,
            role: invitation.role.into(),
            email: invitation.email,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Invited {
    id: Uuid,
    /// For the person who is invited, to register or to accept with. It is not shown again.
    token: String,
    expires_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationList {
    /// Newest first, at most 500.
    items: Vec<InvitationAnswer>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    token: SecretString,
}

impl ReadBody for Acceptance {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { token: fields.required("token", password(1..=100))? })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Where the caller is a member now; null when the invitation was to administer the platform.
    project_id: Option<Uuid>,
}

/// Invite somebody into a project.
#[utoipa::path(
    post, path = "/api/projects/{id}/invitations", tag = "projects", params(("id" = Uuid, Path)),
    request_body = InvitationBody, responses((status = 201, description = "Made", body = Invited))
)]
pub(crate) async fn invite(
    State(api): State<Api>,
    caller: Caller,
    PathId(project_id): PathId<ProjectId>,
    JsonBody(body): JsonBody<InvitationBody>,
) -> Result<(StatusCode, Json<Invited>), Problem> {
    let (token, now) = (Opaque::invitation(), api.clock.now());
    let new = NewInvitation {
        id: InvitationId::new(),
        digest: token.digest,
        opens: Opens::Project(project_id, body.role.into()),
        email: body.email,
        created_by: Some(caller.user_id),
        created_at: now,
        expires_at: now + TimeDelta::hours(body.hours.into()),
    };
    api.store.insert_invitation(&new).await?;
    let token = token.text.expose_secret().to_owned();
    Ok((StatusCode::CREATED, Json(Invited { id: new.id.0, token, expires_at: new.expires_at })))
}

/// Invitations that nobody has used yet.
#[utoipa::path(
    get, path = "/api/projects/{id}/invitations", tag = "projects", params(("id" = Uuid, Path)),
    responses((status = 200, description = "Open invitations", body = InvitationList))
)]
pub(crate) async fn list_invitations(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
) -> Result<Json<InvitationList>, Problem> {
    let found = api.store.invitations(project_id, api.clock.now(), SHOWN_MAX).await?;
    Ok(Json(InvitationList { items: found.into_iter().map(Into::into).collect() }))
}

/// Withdraw an invitation.
#[utoipa::path(
    delete, path = "/api/projects/{id}/invitations/{invitation_id}", tag = "projects",
    params(("id" = Uuid, Path), ("invitation_id" = Uuid, Path)),
    responses((status = 204, description = "Withdrawn"))
)]
pub(crate) async fn withdraw_invitation(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    SecondId(id): SecondId<InvitationId>,
) -> Result<StatusCode, Problem> {
    match api.store.remove_invitation(project_id, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found()),
    }
}

/// Accept an invitation with the account that is logged in. A member keeps the greater role.
#[utoipa::path(
    post, path = "/api/auth/invitations/accept", tag = "auth", request_body = Acceptance,
    responses((status = 200, description = "Accepted", body = Accepted))
)]
pub(crate) async fn accept_invitation(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<Acceptance>,
) -> Result<Json<Accepted>, Problem> {
    let user = api.store.user(caller.user_id).await?.ok_or_else(Problem::not_found)?;
    let digest = digest_of(body.token.expose_secret());
    let mut tx = api.store.begin().await?;
    let opened = accept(&mut tx, &digest, user.id, &user.email, api.clock.now()).await?;
    tx.commit().await.map_err(StoreError::from)?;
    match opened {
        Some(Opens::Project(id, _)) => Ok(Json(Accepted { project_id: Some(id.0) })),
        Some(Opens::Platform) => Ok(Json(Accepted { project_id: None })),
        None => Err(Problem::invalid(vec![Mistake {
            pointer: Some("#/token".into()),
            parameter: None,
            code: "unknown",
            detail: "is unknown, used, expired, or for another address".into(),
        }])),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::InvitationBody>();
        crate::document::assert_schema_is_read::<super::Acceptance>();
    }
}
