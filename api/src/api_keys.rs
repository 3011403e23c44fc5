//! `/api/projects/{id}/api-keys`: keys of machines.

use crate::auth::Opaque;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::projects::Role;
use crate::read::{Fields, JsonBody, PathId, ReadBody, SecondId, choice, integer, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::ids::{ApiKeyId, ProjectId};
use shared::store::api_keys::{ApiKey, KEYS_MAX, NewApiKey};
use shared::store::projects::ProjectRole;
use utoipa::ToSchema;
use uuid::Uuid;

const DAYS_DEFAULT: u32 = 90;

/// Machines administer nothing.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyRole {
    Viewer,
    Operator,
    Approver,
}

impl From<KeyRole> for ProjectRole {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Viewer => ProjectRole::Viewer,
            KeyRole::Operator => ProjectRole::Operator,
            KeyRole::Approver => ProjectRole::Approver,
        }
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyBody {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: KeyRole,
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1, maximum = 3650, default = 90)]
    days: u32,
}

impl ReadBody for ApiKeyBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(1..=100));
        let role = fields.required("role", choice);
        let days = fields.optional("days", integer(1..=3650)).unwrap_or(DAYS_DEFAULT);
        Some(Self { name: name?, role: role?, days })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyAnswer {
    id: Uuid,
    name: String,
    role: Role,
    /// How the key begins.
    prefix: String,
    /// For whom it acts: it can never do more than this person may.
    user_id: Uuid,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// To the minute.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiKey> for ApiKeyAnswer {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.0,
            name: key.name,
            role: key.role.into(),
            prefix: key.prefix,
            user_id: key.user_id.0,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyAnswer {
    id: Uuid,
    /// Goes into `Authorization: Bearer …`. It is not shown again.
    key: String,
    prefix: String,
    expires_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    /// Newest first; expired ones too.
    items: Vec<ApiKeyAnswer>,
}

/// Make an API key for a machine. It acts for the caller, in this project, up to its role.
#[utoipa::path(
    post, path = "/api/projects/{id}/api-keys", tag = "projects", params(("id" = Uuid, Path)),
    request_body = ApiKeyBody,
    responses(
        (status = 201, description = "Made", body = NewKeyAnswer),
        (status = 409, description = "The project has 100 keys; revoke some",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn create_api_key(
    State(api): State<Api>,
    caller: Caller,
    PathId(project_id): PathId<ProjectId>,
    JsonBody(body): JsonBody<ApiKeyBody>,
) -> Result<(StatusCode, Json<NewKeyAnswer>), Problem> {
    let (key, now) = (Opaque::api_key(), api.clock.now());
    let new = NewApiKey {
        id: ApiKeyId::new(),
        project_id,
        user_id: caller.user_id,
        name: body.name,
        role: body.role.into(),
        prefix: key.prefix(),
        digest: key.digest,
        created_at: now,
        expires_at: now + TimeDelta::days(body.days.into()),
    };
    if !api.store.insert_api_key(&new).await? {
        let detail = format!("The project has {KEYS_MAX} keys; revoke some");
        return Err(Problem::new(ProblemKind::Conflict, detail));
    }
    tracing::info!(key_id = %new.id, %project_id, user_id = %caller.user_id, "made an API key");
    let key = key.text.expose_secret().to_owned();
    let answer = NewKeyAnswer { id: new.id.0, key, prefix: new.prefix, expires_at: new.expires_at };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The keys of a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/api-keys", tag = "projects", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The keys, without themselves", body = ApiKeyList))
)]
pub(crate) async fn list_api_keys(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
) -> Result<Json<ApiKeyList>, Problem> {
    let found = api.store.api_keys(project_id).await?;
    Ok(Json(ApiKeyList { items: found.into_iter().map(Into::into).collect() }))
}

/// Revoke a key. It opens nothing from now on.
#[utoipa::path(
    delete, path = "/api/projects/{id}/api-keys/{key_id}", tag = "projects",
    params(("id" = Uuid, Path), ("key_id" = Uuid, Path)), responses((status = 204, description = "Revoked"))
)]
pub(crate) async fn revoke_api_key(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    SecondId(id): SecondId<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    match api.store.revoke_api_key(project_id, id, api.clock.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::ApiKeyBody>();
    }
}
