//! `/api/auth/*`.

use crate::accounts::{self, AccountError, NewAccount};
use crate::caller::Caller;
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::read::{Fields, JsonBody, ReadBody, email, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use shared::config::Registration as RegistrationPolicy;
use shared::store::audit;
use shared::store::users::User;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(log_in)).routes(routes!(me))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[schema(format = Email, min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    password: SecretString,
}

impl ReadBody for Registration {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let NewAccount { email, name, password } = NewAccount::read(fields)?;
        Some(Self { email, name, password })
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 256)]
    password: SecretString,
}

impl ReadBody for Login {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let email = fields.required("email", email);
        // Shorter than any of ours: wrong, but no mistake in the request.
        let password = fields.required("password", password(1..=256));
        Some(Self { email: email?, password: password? })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccessToken {
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    expires_in_s: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserAnswer {
    id: Uuid,
    email: String,
    name: String,
    /// May see and change every project.
    is_platform_admin: bool,
    created_at: DateTime<Utc>,
}

impl From<User> for UserAnswer {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            email: user.email,
            name: user.name,
            is_platform_admin: user.is_platform_admin,
            created_at: user.created_at,
        }
    }
}

/// Make an account. It belongs to no project yet.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", request_body = Registration,
    responses((status = 201, description = "Registered", body = UserAnswer))
)]
async fn register(
    State(api): State<Api>,
    JsonBody(Registration { email, name, password }): JsonBody<Registration>,
) -> Result<(StatusCode, Json<UserAnswer>), Problem> {
    if api.registration == RegistrationPolicy::Closed {
        return Err(Problem::new(
            ProblemKind::RegistrationClosed,
            "An administrator makes the accounts here",
        ));
    }
    let account = NewAccount { email, name, password };
    match accounts::insert(&api.store, &api.passwords, account, false).await {
        Ok(user) => Ok((StatusCode::CREATED, Json(user.into()))),
        Err(AccountError::Taken) => Err(taken()),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal("registering", &error)),
    }
}

fn taken() -> Problem {
    let detail = "There is an account with this address";
    let mistake =
        Mistake { pointer: Some("#/email".into()), parameter: None, code: "taken", detail: detail.into() };
    Problem { mistakes: vec![mistake], ..Problem::new(ProblemKind::Conflict, detail) }
}

/// Trade address and password for an access token.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = AccessToken),
        (status = 401, description = "No such account, or not its password", body = crate::problem::ProblemDocument,
         content_type = "application/problem+json")
    )
)]
async fn log_in(
    State(api): State<Api>,
    JsonBody(login): JsonBody<Login>,
) -> Result<Json<AccessToken>, Problem> {
    audit::is_named(&login.email);
    let credentials = api.store.credentials(&login.email).await?;
    let (user_id, hash) = credentials.map(|c| (c.id, c.password_hash)).unzip();
    let verified = api.passwords.verify(login.password, hash).await;
    // An unknown address takes the same work and gets the same answer as a wrong password.
    let verified = verified.map_err(|error| Problem::internal("logging in", &error))?;
    let Some(user_id) = user_id.filter(|_| verified) else {
        return Err(Problem::unauthenticated("The address or the password is wrong"));
    };
    audit::is_user(user_id);
    let issued = api.tokens.issue(user_id).map_err(|error| Problem::internal("signing a token", &error))?;
    Ok(Json(AccessToken {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in_s: issued.lifetime.num_seconds(),
    }))
}

/// Who the token names.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The account", body = UserAnswer))
)]
async fn me(State(api): State<Api>, caller: Caller) -> Result<Json<UserAnswer>, Problem> {
    let user = api.store.user(caller.user_id).await?;
    user.map(|user| Json(user.into()))
        .ok_or_else(|| Problem::unauthenticated("The account of this token is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;

    #[test]
    fn bodies_are_read_as_documented() {
        assert_schema_is_read::<Registration>();
        assert_schema_is_read::<Login>();
    }
}
