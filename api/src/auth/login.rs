//! `/api/auth/login`, and how a session begins.

use super::account::mistake;
use super::opaque::{Opaque, digest_of};
use super::passwords::Verdict;
use crate::problem::{Problem, ProblemKind};
use crate::quota::Client;
use crate::read::{Fields, JsonBody, ReadBody, email, password};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use shared::ids::{SessionId, UserId};
use shared::store::audit::{self, Note, Tenant};
use shared::store::sessions::NewSession;
use shared::store::{StoreError, accounts};
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, min_length = 1, max_length = 256)]
    password: SecretString,
    /// Of the second factor, or a recovery code: asked for with `second_factor_required`.
    #[schema(value_type = Option<String>, nullable = false, min_length = 1, max_length = 40)]
    code: Option<SecretString>,
    /// In place of the one above from now on: asked for with `password_change_required`, and only then taken.
    #[schema(value_type = Option<String>, format = Password, nullable = false, min_length = 12, max_length = 256)]
    new_password: Option<SecretString>,
}

impl ReadBody for Login {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let email = fields.required("email", email);
        // Shorter than any of ours: wrong, but no mistake in the request.
        let password_given = fields.required("password", password(1..=256));
        let code = fields.optional("code", password(1..=40));
        let new_password = fields.optional("new_password", crate::accounts::new_password);
        Some(Self { email: email?, password: password_given?, code, new_password })
    }
}

/// What a login or refresh gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionTokens {
    /// Goes into `Authorization: Bearer …`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    expires_in_s: i64,
    /// Good once, for the next access token: see `/api/auth/refresh`.
    refresh_token: String,
    refresh_expires_at: DateTime<Utc>,
}

/// Trade address and password for an access token and a refresh token.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "auth", request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = SessionTokens),
        (status = 401, description = "No such account, not its password, the code of its second factor is missing or wrong, or the password has to be changed with this log-in",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The account is shut", body = crate::problem::ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn log_in(
    State(api): State<Api>,
    client: Client,
    headers: HeaderMap,
    JsonBody(login): JsonBody<Login>,
) -> Result<Json<SessionTokens>, Problem> {
    audit::is_named(&login.email);
    let subject = digest_of(&format!("login {}", login.email.to_lowercase()));
    let now = api.clock.now();
    if let Some(until) = api.store.login_locked_until(&subject, now).await? {
        metrics::counter!("counterfoil_logins_total", "outcome" => "locked").increment(1);
        return Err(locked(until, now));
    }
    let credentials = api.store.credentials(&login.email).await?;
    let hash = credentials.as_ref().map(|known| known.password_hash.clone());
    // An unknown address takes the same work and gets the same answer as a wrong password.
    let verdict = api.passwords.verify(login.password.clone(), hash).await;
    let verdict = verdict.map_err(|error| Problem::internal("logging in", &error))?;
    let (Some(known), Verdict::Right { renewed }) = (credentials, verdict) else {
        return Err(failed(&api, &subject, &client, "wrong").await?);
    };
    let user_id = known.id;
    // What follows is said to whoever has the password only.
    if known.is_disabled {
        metrics::counter!("counterfoil_logins_total", "outcome" => "disabled").increment(1);
        audit::is_user(user_id);
        return Err(disabled());
    }
    check_new_password(&login, known.must_change_password)?;
    match (super::second_factor::is_on(&api, user_id).await?, login.code) {
        (false, _) => {}
        (true, None) => {
            return Err(Problem::new(
                ProblemKind::SecondFactorRequired,
                "The account has a second factor: send its code, or a recovery code, as `code`",
            ));
        }
        (true, Some(code)) => {
            if !super::spend_code(&api, user_id, code.expose_secret()).await? {
                return Err(failed(&api, &subject, &client, "second_factor_wrong").await?);
            }
        }
    }
    audit::is_user(user_id);
    if let Some(new) = login.new_password {
        replace_password(&api, user_id, new).await?;
    } else if let Some(new) = renewed {
        api.store.renew_password_hash(user_id, &known.password_hash, &new).await?;
        tracing::info!(%user_id, "a password was hashed anew, at today's cost");
    }
    api.store.forget_login_failures(&subject).await?;
    metrics::counter!("counterfoil_logins_total", "outcome" => "ok").increment(1);
    begin_session(&api, user_id, &client, &headers).await.map(Json)
}

/// A new password is there if and only if it is needed.
fn check_new_password(login: &Login, is_needed: bool) -> Result<(), Problem> {
    match (&login.new_password, is_needed) {
        (None, false) => Ok(()),
        (None, true) => {
            metrics::counter!("counterfoil_logins_total", "outcome" => "password_change").increment(1);
            Err(Problem::new(
                ProblemKind::PasswordChangeRequired,
                "The password has to be changed: send another one as `new_password`",
            ))
        }
        (Some(new), true) if new.expose_secret() == login.password.expose_secret() => {
            Err(mistake("new_password", "unchanged", "must be another one"))
        }
        (Some(_), true) => Ok(()),
        (Some(_), false) => {
            Err(mistake("new_password", "unexpected", "is not asked for; change it once you are logged in"))
        }
    }
}

/// Ends every session the old one has opened.
async fn replace_password(api: &Api, user_id: UserId, new: SecretString) -> Result<(), Problem> {
    let hash = api.passwords.hash(new).await;
    let hash = hash.map_err(|error| Problem::internal("changing a password", &error))?;
    let mut tx = api.store.begin().await?;
    let ended = accounts::replace_password(&mut tx, user_id, &hash, None, api.clock.now()).await?;
    if let Some(context) = audit::current() {
        let note = Note::of(Tenant::SYSTEM, "user", user_id).after(json!({"sessions_ended": ended}));
        note.write_as(&mut tx, &context, "account.change_password").await?;
    }
    tx.commit().await.map_err(StoreError::from)?;
    api.standings.forget_all();
    tracing::info!(%user_id, sessions_ended = ended, "a password was changed, as it had to be");
    Ok(())
}

pub(super) fn disabled() -> Problem {
    Problem::new(ProblemKind::AccountDisabled, "An administrator has shut the account")
}

/// Counts the failure, for known and unknown addresses alike.
async fn failed(
    api: &Api,
    subject: &super::Digest,
    client: &Client,
    outcome: &'static str,
) -> Result<Problem, Problem> {
    let locked_until = api.store.note_login_failure(subject, &api.lock_out, api.clock.now()).await?;
    metrics::counter!("counterfoil_logins_total", "outcome" => outcome).increment(1);
    tracing::warn!(ip = %client.ip, is_locked = locked_until.is_some(), "a login failed");
    Ok(Problem::unauthenticated(match outcome {
        "wrong" => "The address or the password is wrong",
        _ => "The code is wrong, or was used before",
    }))
}

fn locked(until: DateTime<Utc>, now: DateTime<Utc>) -> Problem {
    let wait_s = (until - now).num_seconds().max(1).unsigned_abs();
    Problem::after(ProblemKind::LoginLocked, wait_s, "Nobody can log in with this address for a while")
}

/// Stores a session and makes its first tokens.
pub(super) async fn begin_session(
    api: &Api,
    user_id: UserId,
    client: &Client,
    headers: &HeaderMap,
) -> Result<SessionTokens, Problem> {
    let (id, now, refresh) = (SessionId::new(), api.clock.now(), Opaque::refresh_token());
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let expires_at = now + api.session.absolute;
    let refresh_expires_at = (now + api.session.idle).min(expires_at);
    let new = NewSession {
        id,
        user_id,
        created_at: now,
        expires_at,
        ip: Some(client.ip.to_string()),
        user_agent: user_agent.map(|text| text.chars().take(300).collect()),
        refresh: Some((refresh.digest, refresh_expires_at)),
    };
    api.store.start_session(&new).await?;
    tracing::info!(%user_id, session_id = %id, ip = %client.ip, "logged in");
    tokens(api, user_id, id, &refresh, refresh_expires_at)
}

/// The answer, once the refresh token is stored.
pub(super) fn tokens(
    api: &Api,
    user_id: UserId,
    session_id: SessionId,
    refresh: &Opaque,
    refresh_expires_at: DateTime<Utc>,
) -> Result<SessionTokens, Problem> {
    let issued = api.tokens.issue(user_id, session_id);
    let issued = issued.map_err(|error| Problem::internal("signing a token", &error))?;
    Ok(SessionTokens {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in_s: issued.lifetime.num_seconds(),
        refresh_token: refresh.text.expose_secret().to_owned(),
        refresh_expires_at,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::Login>();
    }
}
