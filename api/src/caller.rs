//! Whoever holds a valid access token.

use crate::auth::{Refused, Verified};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use shared::ids::UserId;
use shared::store::jobs::Asker;

/// The user a request speaks for. Being a caller opens nothing yet: see [`crate::access`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub user_id: UserId,
    pub expires_at: DateTime<Utc>,
}

impl Caller {
    /// As a job's history names them.
    pub fn asker(&self) -> Asker {
        Asker::User(self.user_id)
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(bearer_token);
        let token = token
            .ok_or_else(|| Problem::unauthenticated("Send `Authorization: Bearer` with an access token"))?;
        match api.tokens.verify(token) {
            Ok(Verified { user_id, expires_at }) => {
                shared::store::audit::is_user(user_id);
                Ok(Caller { user_id, expires_at })
            }
            Err(Refused::Expired) => Err(Problem::unauthenticated("The access token has expired")),
            Err(Refused::Invalid) => Err(Problem::unauthenticated("The access token is not valid")),
        }
    }
}

fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
