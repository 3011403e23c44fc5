//! Logging in and out, and preferences.

use crate::ask::Ask;
use crate::form::{Fields, Posted};
use crate::format::{Preferences, Theme};
use crate::shell::{Shell, Visit};
use crate::{Site, html, session};
use askama::Template;
use axum::Router;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/logout", post(log_out))
        .route("/preferences", post(prefer))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    next: String,
    email: String,
    /// Why not.
    refused: Option<String>,
}

/// The cookie does not come along when another site links here: then the page asks for itself again, from here.
#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    next: String,
}

async fn show(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let next = local(Fields::parse(query.unwrap_or_default().as_bytes()).get("next"));
    let is_from_elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if is_from_elsewhere && next != "/" {
        return html::page(&headers, &AgainPage { next });
    }
    let shell = Shell::outside(Preferences::of(&headers));
    html::page(&headers, &LoginPage { shell, next, email: String::new(), refused: None })
}

#[derive(Deserialize)]
struct AccessToken {
    access_token: String,
    expires_in_s: i64,
}

async fn log_in(State(site): State<Site>, headers: HeaderMap, form: RawForm) -> Response {
    let fields = Fields::parse(&form.0);
    let next = local(fields.get("next"));
    // A password is taken as it is, white space included.
    let password = fields.iter().find(|(name, _)| *name == "password").map_or("", |(_, value)| value);
    let body = json!({"email": fields.get("email"), "password": password});
    let ask = Ask::new(site.inside, None, &headers);
    match ask.post::<AccessToken>("/api/auth/login", &body).await {
        Ok(token) => {
            let cookie = session::start(&headers, &token.access_token, token.expires_in_s);
            ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
        }
        Err(refusal)
            if matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY) =>
        {
            let shell = Shell::outside(Preferences::of(&headers));
            let refused = Some("The address or the password is wrong".to_owned());
            let email = fields.get("email").chars().take(254).collect();
            let mut response = html::page(&headers, &LoginPage { shell, next, email, refused });
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn log_out(visit: Visit, _: Posted) -> Response {
    // The session ends there, too; a cookie that was copied opens nothing any more.
    if let Err(refusal) = visit.ask.act("/api/auth/logout", None).await {
        tracing::info!(status = refusal.status.as_u16(), "the session to end was over already");
    }
    let headers = visit.headers;
    let clear = (HeaderName::from_static("clear-site-data"), "\"cache\"".to_owned());
    ([(header::SET_COOKIE, session::end(&headers)), clear], Redirect::to("/login")).into_response()
}

async fn prefer(visit: Visit, form: Posted) -> Response {
    let theme = Theme::by_name(form.get("theme")).unwrap_or(Theme::System);
    let cookie = session::preference(&visit.headers, "theme", theme.as_str());
    ([(header::SET_COOKIE, cookie)], Redirect::to(&local(form.get("back")))).into_response()
}

/// An address on this server, or the first page: nobody is sent elsewhere.
fn local(next: &str) -> String {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|c: char| c == '\\' || c.is_control() || !c.is_ascii());
    if is_local { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(local("/p/1/jobs?state=dead"), "/p/1/jobs?state=dead");
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:x",
            "/a\r\nb",
            "/\t/evil",
        ] {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }
}
