//! `/api/auth/refresh`.

use super::login::{SessionTokens, tokens};
use super::opaque::{OPAQUE_CHARS_MAX, Opaque, digest_of};
use crate::problem::Problem;
use crate::quota::Client;
use crate::read::{Fields, JsonBody, ReadBody, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use shared::store::sessions::Refreshed;
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    refresh_token: SecretString,
}

impl ReadBody for RefreshBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { refresh_token: fields.required("refresh_token", password(1..=OPAQUE_CHARS_MAX))? })
    }
}

/// Trade a refresh token for the next pair. Each is good once: one that comes twice was stolen, and ends the session.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshBody,
    responses(
        (status = 200, description = "The next pair", body = SessionTokens),
        (status = 401, description = "The token is unknown, expired, or was used before; log in again",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn refresh(
    State(api): State<Api>,
    client: Client,
    JsonBody(body): JsonBody<RefreshBody>,
) -> Result<Json<SessionTokens>, Problem> {
    let presented = digest_of(body.refresh_token.expose_secret());
    let (next, now) = (Opaque::refresh_token(), api.clock.now());
    let next_expires_at = now + api.session.idle;
    match api.store.rotate_refresh_token(&presented, &next.digest, next_expires_at, now).await? {
        Refreshed::Rotated { user_id, session_id } => {
            tokens(&api, user_id, session_id, &next, next_expires_at).map(Json)
        }
        Refreshed::Reused { user_id, session_id } => {
            metrics::counter!("counterfoil_refresh_tokens_reused_total").increment(1);
            tracing::warn!(%user_id, %session_id, ip = %client.ip, "a used refresh token came back: its session is ended");
            Err(refused())
        }
        Refreshed::Refused => Err(refused()),
    }
}

fn refused() -> Problem {
    Problem::unauthenticated("The refresh token is not valid; log in again")
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::RefreshBody>();
    }
}
