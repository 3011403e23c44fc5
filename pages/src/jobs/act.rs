//! Doing something to one job, or to all that fit a filter, which is shown before it happens.

use super::Filter;
use crate::answers::BulkDone;
use crate::ask::Refusal;
use crate::form::{Fields, Posted, refusal};
use crate::html::escape_query;
use crate::reconciliations::id_of;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What may be done, in words: `(name, asks, did)`.
const ACTIONS: [(&str, &str, &str); 3] = [
    ("cancel", "Stop", "stopped, or asked to stop"),
    ("retry_now", "Run now", "made to run now"),
    ("redrive", "Start over", "started over"),
];

/// Jobs one confirmation may change; the page offers to go on.
const JOBS_MAX: u32 = 10_000;

pub(super) async fn act_on_one(
    visit: Visit,
    Path(names): Path<HashMap<String, String>>,
    _: Posted,
) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let action = match names.get("action").map(String::as_str) {
        Some(action @ ("cancel" | "redrive" | "retry-now")) => action,
        _ => return Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    };
    visit.ask.act(&format!("/api/jobs/{id}/{action}"), None).await?;
    Ok(Redirect::to(&format!("{}/jobs/{id}", visit.shell.base())).into_response())
}

#[derive(Template)]
#[template(path = "jobs/bulk.html")]
pub(crate) struct BulkPage {
    pub shell: Shell,
    pub filter: Filter,
    pub action: &'static str,
    pub asks: &'static str,
    pub found: BulkDone,
}

fn action_of(name: &str) -> Result<(&'static str, &'static str, &'static str), Refusal> {
    let found = ACTIONS.into_iter().find(|(action, ..)| *action == name);
    found.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "There is no such action"))
}

/// A text is looked for in a window of jobs only, so it cannot choose what changes.
fn body(visit: &Visit, filter: &Filter, action: &str, preview: bool) -> Result<Value, Refusal> {
    if !filter.get("text").is_empty() {
        let says =
            "Jobs found by a text cannot be changed together: choose them by state, kind, time or group";
        return Err(refusal(StatusCode::UNPROCESSABLE_ENTITY, says));
    }
    let mut body = json!({"action": action, "preview": preview, "jobs_max": JOBS_MAX});
    for name in super::FILTERS {
        if let Some(value) = filter.body_value(name) {
            body[name] = value.into();
        }
    }
    Ok(visit.in_project(body))
}

pub(super) async fn preview_bulk(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let filter = Filter::of(&asked);
    let (action, asks, _) = action_of(asked.get("action"))?;
    let found = visit.ask.post("/api/jobs/bulk", &body(&visit, &filter, action, true)?).await?;
    Ok(visit.page(&BulkPage { shell: visit.shell("jobs"), filter, action, asks, found }))
}

pub(super) async fn do_bulk(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let filter = Filter::of(&form);
    let (action, _, did) = action_of(form.get("action"))?;
    let done: BulkDone = visit.ask.post("/api/jobs/bulk", &body(&visit, &filter, action, false)?).await?;
    let shell = &visit.shell;
    let more = if done.is_complete { "" } else { "; there are more" };
    let says = format!("{} of {} jobs {did}{more}", shell.number(done.changed), shell.number(done.matched));
    let target = format!("{}/jobs?{}&done={}", shell.base(), filter.query(false), escape_query(&says));
    Ok(Redirect::to(&super::tidy(&target)).into_response())
}
