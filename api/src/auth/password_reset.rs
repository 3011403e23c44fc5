//! `/api/auth/password-reset`: a new password with the one-time token of an administrator.

use super::account::mistake;
use super::opaque::{OPAQUE_CHARS_MAX, digest_of};
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, ReadBody, password};
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use shared::store::audit;
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// From an administrator; good once.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    token: SecretString,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    new_password: SecretString,
}

impl ReadBody for PasswordReset {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let token = fields.required("token", password(1..=OPAQUE_CHARS_MAX));
        let new_password = fields.required("new_password", crate::accounts::new_password);
        Some(Self { token: token?, new_password: new_password? })
    }
}

/// Choose a new password with a token from an administrator. Every session of the account ends; its second factor is
/// still asked for at the next log-in.
#[utoipa::path(
    post, path = "/api/auth/password-reset", tag = "auth", request_body = PasswordReset,
    responses((status = 204, description = "Changed; log in with it"))
)]
pub(crate) async fn reset_password(
    State(api): State<Api>,
    JsonBody(PasswordReset { token, new_password }): JsonBody<PasswordReset>,
) -> Result<StatusCode, Problem> {
    let unknown = || mistake("token", "unknown", "is unknown, used or expired");
    let (digest, now) = (digest_of(token.expose_secret()), api.clock.now());
    // The slow hash is for those who have a token.
    let user_id = api.store.password_reset_of(&digest, now).await?.ok_or_else(unknown)?;
    let hash = api.passwords.hash(new_password).await;
    let hash = hash.map_err(|error| Problem::internal("changing a password", &error))?;
    audit::is_user(user_id);
    let email = api.store.reset_password(&digest, &hash, now).await?.ok_or_else(unknown)?;
    // Whoever could not remember it has locked themselves out, perhaps.
    api.store.forget_login_failures(&digest_of(&format!("login {}", email.to_lowercase()))).await?;
    tracing::info!(%user_id, "a password was reset");
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::PasswordReset>();
    }
}
