//! Accounts, for administrators of the platform.

use super::Secret;
use super::members::{address_here, is_explained};
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Fields, Posted, refusal};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Account {
    pub id: String,
    pub email: String,
    pub name: String,
    pub is_platform_admin: bool,
    pub has_second_factor: bool,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub must_change_password: bool,
}

#[derive(Template)]
#[template(path = "admin/users.html")]
pub(crate) struct UsersPage {
    pub shell: Shell,
    pub accounts: Vec<Account>,
    /// What is looked for.
    pub text: String,
    /// Where the next ones are.
    pub next: Option<String>,
    pub made: Option<Secret>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

#[derive(Deserialize)]
struct Offer {
    token: String,
}

const SHOWN: u32 = 50;

pub(super) async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    page(&visit, &Fields::parse(query.unwrap_or_default().as_bytes()), None, None).await
}

async fn page(
    visit: &Visit,
    asked: &Fields,
    made: Option<Secret>,
    refused: Option<Refusal>,
) -> Result<Response, Refusal> {
    let text: String = asked.get("text").chars().take(200).collect();
    let mut path = format!("/api/users?limit={SHOWN}");
    for (name, value) in [("text", text.as_str()), ("after", asked.get("after"))] {
        if !value.is_empty() {
            path += &format!("&{name}={}", escape_query(value));
        }
    }
    let found: Items<Account> = visit.ask.get(&path).await?;
    let next = found.after().map(|after| format!("/system/users?text={}&after={after}", escape_query(&text)));
    let (status, trouble, mistakes) = match refused {
        None => (StatusCode::OK, None, vec![]),
        Some(Refusal { status, document, .. }) => {
            (status, document.errors.is_empty().then(|| document.detail.clone()), document.errors)
        }
    };
    let shell = visit.shell("users");
    let template = UsersPage { shell, accounts: found.items, text, next, made, trouble, mistakes };
    Ok(visit.page_of(status, &template))
}

/// What the buttons do; the form brings along what was looked for.
pub(super) async fn act(
    visit: Visit,
    Path((id, action)): Path<(String, String)>,
    form: Posted,
) -> Result<Response, Refusal> {
    let path = format!("/api/users/{}/{action}", escape_query(&id));
    let done = match action.as_str() {
        "disable" | "enable" | "require-password-change" => visit.ask.act(&path, None).await.map(|()| None),
        "password-reset" => {
            let offer: Result<Offer, Refusal> = visit.ask.post(&path, &serde_json::Value::Null).await;
            offer.map(|offer| {
                let page = format!("/reset-password?token={}", escape_query(&offer.token));
                let title = "Send this address to the person; it is good once, for a day";
                Some(Secret { title, text: address_here(&visit, &page) })
            })
        }
        _ => Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    };
    match done {
        Ok(None) => {
            let back = format!("/system/users?text={}", escape_query(form.get("text")));
            Ok(Redirect::to(&back).into_response())
        }
        Ok(made) => page(&visit, &form, made, None).await,
        Err(refused) if is_explained(&refused) => page(&visit, &form, None, Some(refused)).await,
        Err(refused) => Err(refused),
    }
}
