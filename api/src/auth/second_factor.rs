//! `/api/auth/second-factor`: one-time passwords beside the password.

use super::account::{confirm_password, mistake};
use super::opaque::{Digest, digest_of, random};
use super::totp;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::read::{Fields, JsonBody, ReadBody, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use shared::ids::UserId;
use utoipa::ToSchema;

const RECOVERY_CODES: usize = 10;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordAgain {
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 256)]
    password: SecretString,
}

impl ReadBody for PasswordAgain {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { password: fields.required("password", password(1..=256))? })
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstCode {
    #[schema(value_type = String, min_length = 1, max_length = 40)]
    code: SecretString,
}

impl ReadBody for FirstCode {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { code: fields.required("code", password(1..=40))? })
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 256)]
    password: SecretString,
    /// Of the second factor, or a recovery code.
    #[schema(value_type = String, min_length = 1, max_length = 40)]
    code: SecretString,
}

impl ReadBody for Removal {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let password_given = fields.required("password", password(1..=256));
        let code = fields.required("code", password(1..=40));
        Some(Self { password: password_given?, code: code? })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Offer {
    /// Base 32, to be typed.
    secret: String,
    /// The same, to be scanned.
    address: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each is good once, instead of a code. They are not shown again.
    recovery_codes: Vec<String>,
}

/// Begin with a second factor: gives a secret for an authenticator. It counts once confirmed.
#[utoipa::path(
    post, path = "/api/auth/second-factor", tag = "auth", request_body = PasswordAgain,
    responses(
        (status = 200, description = "The secret", body = Offer),
        (status = 409, description = "The account has a second factor, or this installation has no key for them",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn offer_second_factor(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<PasswordAgain>,
) -> Result<Json<Offer>, Problem> {
    let sealing = api.sealing.as_ref().ok_or_else(|| {
        Problem::new(
            ProblemKind::Conflict,
            "This installation keeps no second factors: auth.sealing_key is not set",
        )
    })?;
    confirm_password(&api, caller.user_id, body.password, "password").await?;
    let user = api.store.user(caller.user_id).await?.ok_or_else(Problem::not_found)?;
    let secret: [u8; totp::SECRET_BYTES] = random();
    let sealed = sealing.seal(caller.user_id.0, &secret);
    if !api.store.offer_second_factor(caller.user_id, &sealed, api.clock.now()).await? {
        return Err(Problem::new(ProblemKind::Conflict, "The account has a second factor; remove it first"));
    }
    Ok(Json(Offer { secret: totp::secret_text(&secret), address: totp::address(&secret, &user.email) }))
}

/// Show that the authenticator works. From now on every login needs a code.
#[utoipa::path(
    post, path = "/api/auth/second-factor/confirm", tag = "auth", request_body = FirstCode,
    responses((status = 200, description = "It counts; keep the recovery codes", body = RecoveryCodes))
)]
pub(crate) async fn confirm_second_factor(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<FirstCode>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let wrong = || mistake("code", "wrong", "is not the code of the offered secret at this time");
    let now = api.clock.now();
    let secret = secret_of(&api, caller.user_id, false).await?.ok_or_else(wrong)?;
    let step = totp::step_of(&secret, body.code.expose_secret(), now.timestamp()).ok_or_else(wrong)?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code()).collect();
    let digests: Vec<Digest> = codes.iter().map(|code| recovery_digest(code)).collect();
    if !api.store.confirm_second_factor(caller.user_id, step, &digests, now).await? {
        return Err(wrong());
    }
    api.caches.people.forget(caller.user_id.0);
    tracing::info!(user_id = %caller.user_id, "a second factor was confirmed");
    Ok(Json(RecoveryCodes { recovery_codes: codes }))
}

/// Do without the second factor again.
#[utoipa::path(
    post, path = "/api/auth/second-factor/remove", tag = "auth", request_body = Removal,
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn remove_second_factor(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<Removal>,
) -> Result<StatusCode, Problem> {
    confirm_password(&api, caller.user_id, body.password, "password").await?;
    if !spend_code(&api, caller.user_id, body.code.expose_secret()).await? {
        return Err(mistake("code", "wrong", "is not a code of the second factor, or was used before"));
    }
    api.store.remove_second_factor(caller.user_id).await?;
    api.caches.people.forget(caller.user_id.0);
    tracing::warn!(user_id = %caller.user_id, "a second factor was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Whether logins of the account need a code.
pub(super) async fn is_on(api: &Api, user_id: UserId) -> Result<bool, Problem> {
    let factor = api.store.second_factor(user_id).await?;
    Ok(factor.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Takes a code or a recovery code, each once. `false` also without a second factor.
pub(crate) async fn spend_code(api: &Api, user_id: UserId, code: &str) -> Result<bool, Problem> {
    let Some(secret) = secret_of(api, user_id, true).await? else { return Ok(false) };
    match totp::step_of(&secret, code.trim(), api.clock.now().timestamp()) {
        Some(step) => Ok(api.store.take_step(user_id, step).await?),
        None => Ok(api.store.take_recovery_code(user_id, &recovery_digest(code)).await?),
    }
}

async fn secret_of(api: &Api, user_id: UserId, is_confirmed: bool) -> Result<Option<Vec<u8>>, Problem> {
    let factor = api.store.second_factor(user_id).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some() == is_confirmed) else {
        return Ok(None);
    };
    let opened = api.sealing.as_ref().and_then(|sealing| sealing.open(user_id.0, &factor.secret));
    if opened.is_none() {
        // Never a way around: without the key nobody with a second factor gets in.
        tracing::error!(%user_id, "a second factor cannot be opened: auth.sealing_key is missing or another one");
    }
    opened.map(Some).ok_or_else(|| {
        Problem::new(
            ProblemKind::Unavailable,
            "Second factors cannot be checked; the operator has to mend it",
        )
    })
}

/// 80 random bits, in groups that can be read aloud.
fn recovery_code() -> String {
    let text = BASE32_NOPAD.encode(&random::<10>()).to_lowercase();
    let groups: Vec<&str> = [0..4, 4..8, 8..12, 12..16].map(|range| &text[range]).to_vec();
    groups.join("-")
}

/// However it is typed.
fn recovery_digest(code: &str) -> Digest {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    digest_of(&format!("recovery {}", plain.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;

    #[test]
    fn bodies_are_read_as_documented() {
        assert_schema_is_read::<PasswordAgain>();
        assert_schema_is_read::<FirstCode>();
        assert_schema_is_read::<Removal>();
    }

    #[test]
    fn recovery_codes_may_be_typed_in_any_way() {
        let code = recovery_code();
        assert_eq!(code.len(), 19);
        assert_eq!(recovery_digest(&code), recovery_digest(&code.to_uppercase().replace('-', " ")));
        assert_ne!(recovery_digest(&code), recovery_digest(&recovery_code()));
    }
}
