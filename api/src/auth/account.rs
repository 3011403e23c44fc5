//! `/api/auth/me`, log out, and change of password.

use crate::caller::Caller;
use crate::problem::{Mistake, Problem};
use crate::read::{Fields, JsonBody, ReadBody, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::ids::UserId;
use shared::store::accounts;
use shared::store::audit::{Note, Tenant};
use shared::store::sessions::SessionEnd;
use shared::store::users::Person;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserAnswer {
    id: Uuid,
    email: String,
    name: String,
    /// May see and change every project.
    is_platform_admin: bool,
    /// Logging in takes a code.
    has_second_factor: bool,
    created_at: DateTime<Utc>,
}

impl UserAnswer {
    fn new(person: Person, is_platform_admin: bool) -> Self {
        Self {
            id: person.id.0,
            email: person.email,
            name: person.name,
            is_platform_admin,
            has_second_factor: person.has_second_factor,
            created_at: person.created_at,
        }
    }
}

/// Who the token names.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth",
    responses((status = 200, description = "The account", body = UserAnswer))
)]
pub(crate) async fn me(State(api): State<Api>, caller: Caller) -> Result<Json<UserAnswer>, Problem> {
    let person = api.person(caller.user_id).await?.ok_or_else(gone)?;
    Ok(Json(UserAnswer::new(person, caller.is_platform_admin())))
}

fn gone() -> Problem {
    Problem::unauthenticated("The account of this token is gone")
}

/// End this session: its access tokens and its refresh token open nothing any more.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "auth", responses((status = 204, description = "Logged out"))
)]
pub(crate) async fn log_out(State(api): State<Api>, caller: Caller) -> Result<StatusCode, Problem> {
    let session_id = caller.session_id().ok_or_else(gone)?;
    api.store.end_session(caller.user_id, session_id, SessionEnd::LoggedOut, api.clock.now()).await?;
    tracing::info!(user_id = %caller.user_id, %session_id, "logged out");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 256)]
    current_password: SecretString,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    new_password: SecretString,
}

impl ReadBody for PasswordChange {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let current_password = fields.required("current_password", password(1..=256));
        let new_password = fields.required("new_password", crate::accounts::new_password);
        Some(Self { current_password: current_password?, new_password: new_password? })
    }
}

/// Change the password. Every other session of the account ends.
#[utoipa::path(
    post, path = "/api/auth/password", tag = "auth", request_body = PasswordChange,
    responses((status = 204, description = "Changed"))
)]
pub(crate) async fn change_password(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(change): JsonBody<PasswordChange>,
) -> Result<StatusCode, Problem> {
    if change.current_password.expose_secret() == change.new_password.expose_secret() {
        return Err(mistake("new_password", "unchanged", "must be another one"));
    }
    confirm_password(&api, caller.user_id, change.current_password, "current_password").await?;
    let hash = api.passwords.hash(change.new_password).await;
    let hash = hash.map_err(|error| Problem::internal("changing a password", &error))?;
    let mut tx = api.store.begin().await?;
    let (user_id, kept) = (caller.user_id, caller.session_id());
    let ended = accounts::replace_password(&mut tx, user_id, &hash, kept, api.clock.now()).await?;
    let after = serde_json::json!({"sessions_ended": ended});
    Note::of(Tenant::SYSTEM, "user", user_id).after(after).commit(tx).await?;
    tracing::info!(%user_id, sessions_ended = ended, "a password was changed");
    Ok(StatusCode::NO_CONTENT)
}

/// The password once more, before what an open screen must not be enough for. Failures lock as those of a login do.
pub(super) async fn confirm_password(
    api: &Api,
    user_id: UserId,
    password: SecretString,
    field: &'static str,
) -> Result<(), Problem> {
    let subject = super::digest_of(&format!("confirm {user_id}"));
    let now = api.clock.now();
    if let Some(until) = api.store.login_locked_until(&subject, now).await? {
        let wait_s = (until - now).num_seconds().max(1).unsigned_abs();
        let kind = crate::problem::ProblemKind::LoginLocked;
        return Err(Problem::after(kind, wait_s, "Too many wrong passwords; try again later"));
    }
    let hash = api.store.password_hash(user_id).await?;
    let verdict = api.passwords.verify(password, hash).await;
    if !verdict.map_err(|error| Problem::internal("checking a password", &error))?.is_right() {
        api.store.note_login_failure(&subject, &api.lock_out, now).await?;
        return Err(mistake(field, "wrong", "is not the password of the account"));
    }
    Ok(api.store.forget_login_failures(&subject).await?)
}

pub(super) fn mistake(field: &str, code: &'static str, detail: &str) -> Problem {
    Problem::invalid(vec![Mistake {
        pointer: Some(format!("#/{field}")),
        parameter: None,
        code,
        detail: detail.to_owned(),
    }])
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::PasswordChange>();
    }
}
