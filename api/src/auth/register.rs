//! `/api/auth/register`.

use super::opaque::{Digest, OPAQUE_CHARS_MAX, digest_of};
use crate::accounts::{self, AccountError, NewAccount};
use crate::problem::{Problem, ProblemKind};
use crate::read::{Fields, JsonBody, ReadBody, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::config::Registration as RegistrationPolicy;
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    #[schema(format = Email, min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    password: SecretString,
    /// A one-time token, where registration is by invitation, or of the first administrator.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 100)]
    invitation: Option<SecretString>,
}

impl ReadBody for Registration {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let account = NewAccount::read(fields);
        let invitation = fields.optional("invitation", password(1..=OPAQUE_CHARS_MAX));
        let NewAccount { email, name, password } = account?;
        Some(Self { email, name, password, invitation })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Registered {
    /// As it was given.
    email: String,
}

/// Make an account. The answer is the same when the address has one already: log in to find out.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "auth", request_body = Registration,
    responses(
        (status = 202, description = "The address has an account now, or had one before", body = Registered),
        (status = 403, description = "Accounts are made by administrators, or by invitation, and this is none",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn register(
    State(api): State<Api>,
    JsonBody(Registration { email, name, password, invitation }): JsonBody<Registration>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let invitation: Option<Digest> = invitation.map(|token| digest_of(token.expose_secret()));
    let is_invited = match &invitation {
        Some(digest) => api.store.invitation_is_open(digest, &email, api.clock.now()).await?,
        None => false,
    };
    let closed = |detail| Err(Problem::new(ProblemKind::RegistrationClosed, detail));
    match (api.registration, &invitation) {
        _ if is_invited => {}
        (_, Some(_)) => return closed("The invitation is unknown, used, expired, or for another address"),
        (RegistrationPolicy::Open, None) => {}
        (RegistrationPolicy::InviteOnly, None) => {
            return closed("Ask an administrator of a project to invite you");
        }
        (RegistrationPolicy::Closed, None) => return closed("An administrator makes the accounts here"),
    }
    let account = NewAccount { email: email.clone(), name, password };
    // The slow hash comes first, whether or not the address is free: neither time nor answer tells.
    match accounts::register(&api, account, invitation.as_ref()).await {
        Ok(_) | Err(AccountError::Taken) => Ok((StatusCode::ACCEPTED, Json(Registered { email }))),
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal("registering", &error)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::Registration>();
    }
}
