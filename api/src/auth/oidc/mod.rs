//! `/api/auth/provider`: logging in by an OpenID provider, by authorization code with PKCE.
//!
//! Whoever begins a log-in gets two things: the *state*, which travels through the provider, and the *browser token*,
//! which stays where the log-in began. Nonce and code verifier are digests of the browser token, so nothing needs to be
//! kept that would open anything, and a code that was caught on its way is worth nothing without that browser. The
//! database knows digests of both, until the log-in is finished the first time, whatever comes of it.

mod arrival;
mod id_token;
mod provider;

pub(crate) use provider::Provider;

use super::login::{SessionTokens, begin_session};
use super::opaque::{digest_of, random};
use crate::problem::{Problem, ProblemKind};
use crate::quota::Client;
use crate::read::{Fields, JsonBody, ReadBody, password, text};
use crate::state::Api;
use arrival::NotLetIn;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::TimeDelta;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use provider::{Proof, ProviderError};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shared::store::audit;
use shared::store::identities::{Arrival, Arrived};
use utoipa::ToSchema;

/// How long somebody may take at the provider.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

#[derive(Serialize, ToSchema)]
pub(crate) struct LoginProvider {
    /// What people know it by; null: nobody logs in by a provider here.
    name: Option<String>,
}

/// The provider by which people may log in.
#[utoipa::path(
    get, path = "/api/auth/provider", tag = "auth",
    responses((status = 200, description = "Its name", body = LoginProvider))
)]
pub(crate) async fn show_provider(State(api): State<Api>) -> Json<LoginProvider> {
    Json(LoginProvider { name: api.provider.as_ref().map(|provider| provider.settings.name.clone()) })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LoginBegun {
    /// Where the browser goes next.
    authorization_url: String,
    /// Comes back from there.
    state: String,
    /// Stays in the browser; needed to finish.
    browser_token: String,
    expires_in_s: i64,
}

/// Begin to log in by the provider. The browser goes to the address, and comes back to `/login/provider/back` of
/// these pages.
#[utoipa::path(
    post, path = "/api/auth/provider/start", tag = "auth",
    responses(
        (status = 200, description = "Begun", body = LoginBegun),
        (status = 503, description = "The provider does not answer",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn start_provider_login(State(api): State<Api>) -> Result<Json<LoginBegun>, Problem> {
    let provider = configured(&api)?;
    let metadata = provider.metadata().await.map_err(|error| refused(&error))?;
    let (state, browser_token) =
        (BASE64URL_NOPAD.encode(&random::<32>()), BASE64URL_NOPAD.encode(&random::<32>()));
    let proof = proof_of(&browser_token);
    let challenge = Sha256::digest(proof.code_verifier.expose_secret().as_bytes());
    let scope = std::iter::once("openid").chain(provider.settings.scopes.iter().map(String::as_str));
    let mut url = metadata.authorization_url().map_err(|error| refused(&error))?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", provider.client_id())
        .append_pair("redirect_uri", &provider.redirect_uri)
        .append_pair("scope", &scope.collect::<Vec<_>>().join(" "))
        .append_pair("state", &state)
        .append_pair("nonce", &proof.nonce)
        .append_pair("code_challenge", &BASE64URL_NOPAD.encode(&challenge))
        .append_pair("code_challenge_method", "S256");
    let expires_at = api.clock.now() + PATIENCE;
    api.store.begin_provider_login(&digest_of(&state), &digest_of(&browser_token), expires_at).await?;
    Ok(Json(LoginBegun {
        authorization_url: url.into(),
        state,
        browser_token,
        expires_in_s: PATIENCE.num_seconds(),
    }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderReturn {
    /// As the provider handed it back.
    #[schema(min_length = 1, max_length = 100)]
    state: String,
    /// As it was given at the start.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    browser_token: SecretString,
    /// As the provider handed it over.
    #[schema(value_type = String, min_length = 1, max_length = 4096)]
    code: SecretString,
    /// Whoever sent the browser back, if they say so.
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    iss: Option<String>,
}

impl ReadBody for ProviderReturn {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let state = fields.required("state", text(1..=100));
        let browser_token = fields.required("browser_token", password(1..=100));
        let code = fields.required("code", password(1..=4096));
        let iss = fields.optional("iss", text(1..=500));
        Some(Self { state: state?, browser_token: browser_token?, code: code?, iss })
    }
}

/// Finish what was begun, once: trade what the provider handed over for an access token and a refresh token.
#[utoipa::path(
    post, path = "/api/auth/provider/finish", tag = "auth", request_body = ProviderReturn,
    responses(
        (status = 200, description = "Logged in", body = SessionTokens),
        (status = 401, description = "The log-in was not begun in this browser, is over, or the provider's word is not good",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The provider knows them, but they may not come in",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The provider does not answer",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn finish_provider_login(
    State(api): State<Api>,
    client: Client,
    headers: HeaderMap,
    JsonBody(back): JsonBody<ProviderReturn>,
) -> Result<Json<SessionTokens>, Problem> {
    let finished = finish(&api, back).await;
    let outcome = if finished.is_ok() { "ok" } else { "provider_refused" };
    metrics::counter!("counterfoil_logins_total", "outcome" => outcome).increment(1);
    let user_id =
        finished.inspect_err(|_| tracing::warn!(ip = %client.ip, "a login by the provider failed"))?;
    begin_session(&api, user_id, &client, &headers).await.map(Json)
}

async fn finish(api: &Api, back: ProviderReturn) -> Result<shared::ids::UserId, Problem> {
    let provider = configured(api)?;
    let (state, browser) = (digest_of(&back.state), digest_of(back.browser_token.expose_secret()));
    if !api.store.spend_provider_login(&state, &browser, api.clock.now()).await? {
        return Err(Problem::unauthenticated("This log-in was not begun here, or is over; begin again"));
    }
    let metadata = provider.metadata().await.map_err(|error| refused(&error))?;
    let is_its_own = match &back.iss {
        Some(iss) => iss == provider.issuer(),
        None => !metadata.authorization_response_iss_parameter_supported,
    };
    if !is_its_own {
        return Err(Problem::unauthenticated("Another provider has sent this; begin again"));
    }
    let proof = proof_of(back.browser_token.expose_secret());
    let redeemed = provider.redeem(back.code.expose_secret(), &proof).await;
    let claims = redeemed.map_err(|error| refused(&error))?;
    if let Some(email) = claims.get("email").and_then(serde_json::Value::as_str) {
        audit::is_named(email);
    }
    let person = provider.person(&claims).map_err(|why| match why {
        NotLetIn::Domain => not_let_in("The provider gives no verified address of a domain that may come in"),
        NotLetIn::Groups => not_let_in("Only some groups may come in, and none of them is yours"),
    })?;
    // Nobody ever knows this password; whoever came by the provider goes on doing so.
    let nobody_knows: SecretString = HEXLOWER.encode(&random::<32>()).into();
    let password_hash = api.passwords.hash(nobody_knows).await;
    let password_hash = password_hash.map_err(|error| Problem::internal("making an account", &error))?;
    let arrival = Arrival {
        issuer: provider.issuer().to_owned(),
        subject: person.subject,
        email: person.email,
        name: person.name,
        may_link: provider.settings.link_by_email,
        may_create: provider.settings.create_accounts,
        password_hash,
        is_platform_admin: person.is_platform_admin,
        roles: person.roles,
        now: api.clock.now(),
    };
    match api.store.arrive(&arrival).await? {
        Arrived::Known(user_id) | Arrived::Linked(user_id) | Arrived::Made(user_id) => {
            audit::is_user(user_id);
            Ok(user_id)
        }
        Arrived::Disabled => Err(super::login::disabled()),
        Arrived::NoEmail => Err(not_let_in("The provider gives no verified address, which an account needs")),
        Arrived::NotLinked => {
            Err(not_let_in("The address has an account already, which the provider does not open"))
        }
        Arrived::NoAccount => {
            Err(not_let_in("There is no account for this address; ask an administrator for one"))
        }
    }
}

fn configured(api: &Api) -> Result<&Provider, Problem> {
    api.provider.as_ref().ok_or_else(Problem::not_found)
}

/// What only this browser could have asked for. Both are digests, so the nonce, which everybody on the way sees, gives
/// nothing of the other away.
fn proof_of(browser_token: &str) -> Proof {
    let derive = |what: &[u8]| {
        let digest = Sha256::new().chain_update(what).chain_update(browser_token.as_bytes()).finalize();
        BASE64URL_NOPAD.encode(&digest)
    };
    Proof {
        nonce: derive(b"counterfoil nonce\0"),
        code_verifier: derive(b"counterfoil code verifier\0").into(),
    }
}

fn not_let_in(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::NotLetIn, detail)
}

fn refused(error: &ProviderError) -> Problem {
    tracing::warn!(error = shared::chain(error), "the provider's word is not good");
    match error {
        ProviderError::Away(_) => {
            Problem::after(ProblemKind::Unavailable, 5, "The log-in provider does not answer as it should")
        }
        ProviderError::CodeRefused(_) | ProviderError::TokenRefused(_) => {
            Problem::unauthenticated("The provider's word for this log-in is not good; begin again")
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_are_read_as_documented() {
        crate::document::assert_schema_is_read::<super::ProviderReturn>();
    }
}
