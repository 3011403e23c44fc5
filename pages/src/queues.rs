//! Queues and limits, for platform administrators.

use crate::answers::{Items, Limit, Queue};
use crate::ask::Refusal;
use crate::form::{Posted, refusal};
use crate::html::escape_query;
use crate::shell::{Shell, Visit};
use crate::{Site, format};
use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/system", get(async || Redirect::to("/system/jobs")))
        .route("/system/queues", get(show))
        .route("/system/queues/{queue}/{action}", post(pause_or_resume))
        .route("/system/limits", post(set_limit))
        .route("/system/limits/remove", post(remove_limit))
}

#[derive(Template)]
#[template(path = "queues.html")]
pub(crate) struct QueuesPage {
    pub shell: Shell,
    pub queues: Vec<QueueShown>,
    pub limits: Vec<Limit>,
}

pub(crate) struct QueueShown {
    pub queue: Queue,
    pub oldest: String,
    pub is_late: bool,
}

/// A job that could have started so long ago is worth a look.
const LATE_AFTER_S: f64 = 60.0;

pub(crate) fn queue_shown(queue: Queue) -> QueueShown {
    let has_waiting = queue.available > 0;
    let age = TimeDelta::milliseconds((queue.oldest_age_s.clamp(0.0, 1e9) * 1000.0) as i64);
    QueueShown {
        oldest: if has_waiting { format::duration(age) } else { "–".into() },
        is_late: has_waiting && queue.oldest_age_s > LATE_AFTER_S && queue.pause.is_none(),
        queue,
    }
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    let (queues, limits) = tokio::join!(
        visit.ask.get::<Items<Queue>>("/api/queues"),
        visit.ask.get::<Items<Limit>>("/api/limits")
    );
    let queues = queues?.items.into_iter().map(queue_shown).collect();
    Ok(visit.page(&QueuesPage { shell: visit.shell("queues"), queues, limits: limits?.items }))
}

async fn pause_or_resume(
    visit: Visit,
    Path((queue, action)): Path<(String, String)>,
    form: Posted,
) -> Result<Redirect, Refusal> {
    let path = format!("/api/queues/{}/{action}", escape_query(&queue));
    match action.as_str() {
        "pause" => {
            visit
                .ask
                .act(&path, Some(&json!({"reason": form.given("reason").unwrap_or("no reason given")})))
                .await?
        }
        "resume" => visit.ask.act(&path, None).await?,
        _ => return Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    }
    Ok(Redirect::to("/system/queues"))
}

fn limit_path(form: &Posted) -> String {
    format!("/api/limits/{}/{}", escape_query(form.get("scope")), escape_query(form.get("name")))
}

async fn set_limit(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let jobs_max = form.get("jobs_max").parse::<u32>().map_or(json!(form.get("jobs_max")), |n| json!(n));
    visit.ask.put(&limit_path(&form), &json!({"jobs_max": jobs_max})).await?;
    Ok(Redirect::to("/system/queues").into_response())
}

async fn remove_limit(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    visit.ask.delete(&limit_path(&form)).await?;
    Ok(Redirect::to("/system/queues").into_response())
}
