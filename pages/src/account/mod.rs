//! The visitor's own account: password, second factor, sessions; and how one comes to have it.

mod invited;
mod reset;
mod second_factor;

use crate::Site;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Posted;
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/account", get(show))
        .route("/account/password", post(change_password))
        .route("/account/sessions/{id}/end", post(end_session))
        .route("/account/sessions/end-others", post(end_others))
        .route("/account/second-factor", post(second_factor::offer))
        .route("/account/second-factor/confirm", post(second_factor::confirm))
        .route("/account/second-factor/remove", post(second_factor::remove))
        .route("/reset-password", get(reset::show).post(reset::reset))
        .route("/register", get(invited::show_register).post(invited::register))
        .route("/invitation", get(invited::show).post(invited::accept))
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Session {
    pub id: String,
    pub is_current: bool,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

impl Session {
    /// `Firefox on Linux`, as far as a browser says so.
    pub fn device(&self) -> String {
        let agent = self.user_agent.as_deref().unwrap_or_default();
        let first = |names: &[(&str, &'static str)]| {
            names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
        };
        // Every browser also claims to be the ones behind it.
        let browser = first(&[
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ]);
        let system = first(&[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ]);
        match (browser, system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(browser), None) => browser.to_owned(),
            _ if agent.is_empty() => "unknown program".to_owned(),
            _ => crate::format::shorten(agent, 60usize),
        }
    }
}

#[derive(Template)]
#[template(path = "account/show.html")]
pub(crate) struct AccountPage {
    pub shell: Shell,
    pub email: String,
    pub name: String,
    pub has_second_factor: bool,
    pub sessions: Vec<Session>,
    pub mistakes: Vec<Mistake>,
    pub done: Option<&'static str>,
}

async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let done = match query.as_deref() {
        Some("done=password") => Some("The password is changed; every other session has ended."),
        Some("done=sessions") => Some("The session has ended."),
        Some("done=removed") => Some("Logging in takes the password alone again."),
        _ => None,
    };
    page(&visit, vec![], done).await
}

async fn page(
    visit: &Visit,
    mistakes: Vec<Mistake>,
    done: Option<&'static str>,
) -> Result<Response, Refusal> {
    let sessions: Items<Session> = visit.ask.get("/api/auth/sessions").await?;
    let shell = visit.shell("account");
    let user = shell.user.clone();
    let status = if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let template = AccountPage {
        email: user.as_ref().map_or(String::new(), |user| user.email.clone()),
        name: user.as_ref().map_or(String::new(), |user| user.name.clone()),
        has_second_factor: user.is_some_and(|user| user.has_second_factor),
        shell,
        sessions: sessions.items,
        mistakes,
        done,
    };
    Ok(visit.page_of(status, &template))
}

/// The page again with what is wrong, or the refusal where it is about something else.
async fn again(visit: &Visit, refusal: Refusal) -> Result<Response, Refusal> {
    match refusal.status {
        StatusCode::UNPROCESSABLE_ENTITY => page(visit, refusal.document.errors.clone(), None).await,
        _ => Err(refusal),
    }
}

async fn change_password(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    if form.raw("new_password") != form.raw("again") {
        return page(&visit, vec![mistake("again", "is not the same as the new password")], None).await;
    }
    let body =
        json!({"current_password": form.raw("current_password"), "new_password": form.raw("new_password")});
    match visit.ask.act("/api/auth/password", Some(&body)).await {
        Ok(()) => Ok(Redirect::to("/account?done=password").into_response()),
        Err(refusal) => again(&visit, refusal).await,
    }
}

fn mistake(field: &str, detail: &str) -> Mistake {
    Mistake {
        pointer: Some(format!("#/{field}")),
        parameter: None,
        code: "invalid".into(),
        detail: detail.into(),
    }
}

/// Of the session of this page too: then the next page asks to log in.
async fn end_session(visit: Visit, Path(id): Path<String>, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.delete(&format!("/api/auth/sessions/{}", escape_query(&id))).await?;
    Ok(Redirect::to("/account?done=sessions"))
}

async fn end_others(visit: Visit, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.delete("/api/auth/sessions").await?;
    Ok(Redirect::to("/account?done=sessions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_people_call_them() {
        let now = Utc::now();
        let device = |agent: &str| {
            let session = Session {
                id: String::new(),
                is_current: false,
                created_at: now,
                last_used_at: now,
                expires_at: now,
                ip: None,
                user_agent: Some(agent.to_owned()),
            };
            session.device()
        };
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";
        assert_eq!(device(firefox), "Firefox on Linux");
        assert_eq!(device(edge), "Edge on Windows");
        assert_eq!(device("curl/8.0"), "curl/8.0");
        assert_eq!(device(""), "unknown program");
    }
}
