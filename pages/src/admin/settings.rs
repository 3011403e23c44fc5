//! The rules of review: reason codes, and the amounts above which a second person is needed.

use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Posted;
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::review::answers::ReasonCode;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Limit {
    pub currency: String,
    pub amount: String,
}

#[derive(Template)]
#[template(path = "admin/settings.html")]
pub(crate) struct SettingsPage {
    pub shell: Shell,
    pub reasons: Vec<ReasonCode>,
    pub limits: Vec<Limit>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

fn api(visit: &Visit, below: &str) -> String {
    format!("/api/projects/{}/review/{below}", visit.project_id().unwrap_or_default())
}

pub(super) async fn show(visit: Visit) -> Result<Response, Refusal> {
    page(&visit, None).await
}

async fn page(visit: &Visit, refused: Option<Refusal>) -> Result<Response, Refusal> {
    let (of_reasons, of_limits) = (api(visit, "reasons"), api(visit, "limits"));
    let (reasons, limits) = tokio::join!(
        visit.ask.get::<Items<ReasonCode>>(&of_reasons),
        visit.ask.get::<Items<Limit>>(&of_limits)
    );
    let (status, trouble, mistakes) = match refused {
        None => (StatusCode::OK, None, vec![]),
        Some(Refusal { status, document, .. }) => {
            (status, document.errors.is_empty().then(|| document.detail.clone()), document.errors)
        }
    };
    let (reasons, limits) = (reasons?.items, limits?.items);
    let shell = visit.shell("settings");
    Ok(visit.page_of(status, &SettingsPage { shell, reasons, limits, trouble, mistakes }))
}

async fn answer(visit: &Visit, done: Result<(), Refusal>) -> Result<Response, Refusal> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("{}/settings", visit.shell.base())).into_response()),
        Err(refused)
            if matches!(
                refused.status,
                StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_FOUND
            ) =>
        {
            page(visit, Some(refused)).await
        }
        Err(refused) => Err(refused),
    }
}

/// Adds one, renames it, or offers it no more.
pub(super) async fn set_reason(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let path = api(&visit, &format!("reasons/{}", escape_query(form.get("code"))));
    let body = json!({"label": form.get("label"), "is_active": form.get("is_active") != "false"});
    let done = visit.ask.put(&path, &body).await;
    answer(&visit, done).await
}

/// An empty amount: no limit.
pub(super) async fn set_limit(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let path = api(&visit, &format!("limits/{}", escape_query(form.get("currency"))));
    let done = match form.given("amount") {
        Some(amount) => visit.ask.put(&path, &json!({"amount": amount})).await,
        None => visit.ask.delete(&path).await,
    };
    answer(&visit, done).await
}
