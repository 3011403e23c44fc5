//! Logging in by a provider: out to it, and back.
//!
//! What the log-in began with stays in a cookie of this browser, which alone can finish it. It is sent along when the
//! provider sends the browser back, so it is `SameSite=Lax`, unlike those of a session.

use crate::ask::Ask;
use crate::form::Fields;
use crate::format::Preferences;
use crate::login::{AgainPage, LoginPage, local};
use crate::session::{self, Tokens, is_https};
use crate::shell::Shell;
use crate::{Site, html, renewal};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use chrono::Utc;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/login/provider", get(begin)).route("/login/provider/back", get(finish))
}

const SECURE_NAME: &str = "__Host-counterfoil-provider";
const PLAIN_NAME: &str = "counterfoil-provider";
/// Bytes of an address to go on to that is kept meanwhile.
const NEXT_BYTES_MAX: usize = 1000;

/// The provider's name, if people can log in by one.
pub(crate) async fn name(ask: &Ask) -> Option<String> {
    #[derive(Deserialize)]
    struct LoginProvider {
        name: Option<String>,
    }
    // Without its name the page still has the password.
    ask.get::<LoginProvider>("/api/auth/provider").await.ok().and_then(|provider| provider.name)
}

#[derive(Deserialize)]
struct LoginBegun {
    authorization_url: String,
    browser_token: String,
    expires_in_s: i64,
}

async fn begin(State(site): State<Site>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let next = local(Fields::parse(query.unwrap_or_default().as_bytes()).get("next"));
    // Another site's image or link begins nothing; its visitor sees the button.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Redirect::to("/login").into_response();
    }
    let ask = Ask::new(site.inside, None, &headers);
    match ask.post::<LoginBegun>("/api/auth/provider/start", &json!(null)).await {
        Ok(begun) => {
            let next = if next.len() > NEXT_BYTES_MAX { "/" } else { &next };
            let value = format!("{}.{}", begun.browser_token, BASE64URL_NOPAD.encode(next.as_bytes()));
            let mut response = Redirect::to(&begun.authorization_url).into_response();
            renewal::append(&mut response, &[cookie(&headers, &value, begun.expires_in_s)]);
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn finish(State(site): State<Site>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let name = if is_https(&headers) { SECURE_NAME } else { PLAIN_NAME };
    let kept = session::cookie(&headers, name).and_then(|value| value.split_once('.'));
    let (browser_token, next) = kept.unwrap_or_default();
    let next = BASE64URL_NOPAD.decode(next.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let next = local(&next.unwrap_or_default());
    let mut body = json!({
        "state": fields.get("state"), "browser_token": browser_token, "code": fields.raw("code"),
    });
    if let Some(iss) = fields.given("iss") {
        body["iss"] = iss.into();
    }
    let ask = Ask::new(site.inside, None, &headers);
    let mut response = match ask.post::<Tokens>("/api/auth/provider/finish", &body).await {
        // Cookies of a session do not go along with where another site sends somebody: the page asks from here.
        Ok(tokens) => {
            let mut response = html::page(&headers, &AgainPage { next });
            renewal::append(&mut response, &session::cookies(&headers, &tokens, Utc::now()));
            response
        }
        Err(refusal)
            if matches!(
                refusal.status,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY
            ) =>
        {
            let refused = match refusal.status {
                // The provider sends an error instead of a code: somebody said no there, most often.
                StatusCode::UNPROCESSABLE_ENTITY => {
                    "The provider did not let you in, or the log-in took too long".into()
                }
                _ => refusal.document.detail.clone(),
            };
            let page = LoginPage {
                shell: Shell::outside(Preferences::of(&headers)),
                next,
                email: String::new(),
                wants_code: false,
                wants_new_password: false,
                refused: Some(refused),
                provider: self::name(&ask).await,
            };
            let mut response = html::page(&headers, &page);
            *response.status_mut() = refusal.status;
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    renewal::append(&mut response, &[cookie(&headers, "", 0)]);
    response
}

fn cookie(headers: &HeaderMap, value: &str, max_age_s: i64) -> String {
    let (name, secure) = if is_https(headers) { (SECURE_NAME, "; Secure") } else { (PLAIN_NAME, "") };
    format!("{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}")
}
