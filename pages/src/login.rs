//! Logging in and out, and preferences.

use crate::ask::Ask;
use crate::form::{Fields, Posted};
use crate::format::{Preferences, Theme};
use crate::session::{self, Tokens};
use crate::shell::{Shell, Visit};
use crate::{Site, html, provider, renewal};
use askama::Template;
use axum::Router;
use axum::extract::{RawForm, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::Utc;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/logout", post(log_out))
        .route("/preferences", post(prefer))
}

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub shell: Shell,
    pub next: String,
    pub email: String,
    /// The account has a second factor, and its code was missing or wrong.
    pub wants_code: bool,
    /// The password has to be changed with this log-in.
    pub wants_new_password: bool,
    /// Why not.
    pub refused: Option<String>,
    /// By which people may log in, too.
    pub provider: Option<String>,
}

/// The cookie does not come along when another site links here: then the page asks for itself again, from here.
#[derive(Template)]
#[template(path = "again.html")]
pub(crate) struct AgainPage {
    pub next: String,
}

async fn show(State(site): State<Site>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let next = local(Fields::parse(query.unwrap_or_default().as_bytes()).get("next"));
    let is_from_elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if is_from_elsewhere && next != "/" {
        return html::page(&headers, &AgainPage { next });
    }
    let shell = Shell::outside(Preferences::of(&headers));
    let provider = provider::name(&Ask::new(site.inside, None, &headers)).await;
    let email = String::new();
    let (wants_code, wants_new_password, refused) = (false, false, None);
    let page = LoginPage { shell, next, email, wants_code, wants_new_password, refused, provider };
    html::page(&headers, &page)
}

async fn log_in(State(site): State<Site>, headers: HeaderMap, form: RawForm) -> Response {
    let fields = Fields::parse(&form.0);
    let next = local(fields.get("next"));
    let body = credentials(&fields);
    let ask = Ask::new(site.inside, None, &headers);
    match ask.post::<Tokens>("/api/auth/login", &body).await {
        Ok(tokens) => begin(&headers, &tokens, &next),
        Err(refusal)
            if matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::UNPROCESSABLE_ENTITY)
                || refusal.document.code() == "account_disabled" =>
        {
            let shell = Shell::outside(Preferences::of(&headers));
            let code = refusal.document.code();
            let wants_code = code == "second_factor_required";
            let mistake = refusal
                .document
                .errors
                .iter()
                .find(|mistake| mistake.pointer.as_deref() == Some("#/new_password"));
            let wants_new_password = code == "password_change_required" || fields.has("new_password");
            let refused = match (code, fields.given("code"), mistake) {
                ("second_factor_required", ..) => {
                    "The account has a second factor: give its code, too".into()
                }
                ("password_change_required", ..) => "You have to choose another password".into(),
                ("account_disabled", ..) => "An administrator has shut the account".into(),
                (_, _, Some(mistake)) => format!("The new password {}", mistake.detail),
                (_, Some(_), _) => "The address, the password or the code is wrong".into(),
                (_, None, _) => "The address or the password is wrong".into(),
            };
            let page = LoginPage {
                shell,
                next,
                email: fields.get("email").chars().take(254).collect(),
                wants_code: wants_code || fields.given("code").is_some(),
                wants_new_password,
                refused: Some(refused),
                provider: provider::name(&ask).await,
            };
            let mut response = html::page(&headers, &page);
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// A password is taken as it is, white space included.
pub(crate) fn credentials(fields: &Fields) -> serde_json::Value {
    let mut body = json!({"email": fields.get("email"), "password": fields.raw("password")});
    if let Some(code) = fields.given("code") {
        body["code"] = code.into();
    }
    if !fields.raw("new_password").is_empty() {
        body["new_password"] = fields.raw("new_password").into();
    }
    body
}

/// A session begins, and goes to `next`.
pub(crate) fn begin(headers: &HeaderMap, tokens: &Tokens, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    renewal::append(&mut response, &session::cookies(headers, tokens, Utc::now()));
    response
}

async fn log_out(visit: Visit, _: Posted) -> Response {
    // The session ends there, too; a cookie that was copied opens nothing any more.
    if let Err(refusal) = visit.ask.act("/api/auth/logout", None).await {
        tracing::info!(status = refusal.status.as_u16(), "the session to end was over already");
    }
    let headers = visit.headers;
    let clear = [(HeaderName::from_static("clear-site-data"), "\"cache\"")];
    let mut response = (clear, Redirect::to("/login")).into_response();
    renewal::append(&mut response, &session::end(&headers));
    response
}

async fn prefer(visit: Visit, form: Posted) -> Response {
    let theme = Theme::by_name(form.get("theme")).unwrap_or(Theme::System);
    let cookie = session::preference(&visit.headers, "theme", theme.as_str());
    ([(header::SET_COOKIE, cookie)], Redirect::to(&local(form.get("back")))).into_response()
}

/// An address on this server, or the first page: nobody is sent elsewhere.
pub(crate) fn local(next: &str) -> String {
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
