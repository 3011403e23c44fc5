//! Workers: who runs jobs. For platform administrators.

use crate::Site;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Posted, refusal};
use crate::html::escape_query;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/system/workers", get(show))
        .route("/system/workers/{name}/{action}", post(drain_or_resume))
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Worker {
    pub name: String,
    pub version: String,
    pub state: String,
    pub kinds: Vec<String>,
    /// Of each kind.
    pub slots: i64,
    pub running: i64,
    pub job_ids: Vec<String>,
    pub started_at: DateTime<Utc>,
    pub heartbeat_at: DateTime<Utc>,
    #[serde(default)]
    pub drain_asked_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub drain_asked_by: Option<String>,
}

#[derive(Template)]
#[template(path = "workers.html")]
pub(crate) struct WorkersPage {
    pub shell: Shell,
    pub workers: Vec<Worker>,
    pub live: usize,
    pub running: i64,
}

/// Job ids that stand in a line; the list of jobs has them all.
const JOBS_SHOWN: usize = 5;

pub(crate) fn workers_page(shell: Shell, mut workers: Vec<Worker>) -> WorkersPage {
    for worker in &mut workers {
        worker.job_ids.truncate(JOBS_SHOWN);
    }
    WorkersPage {
        live: workers.iter().filter(|worker| worker.state == "live").count(),
        running: workers.iter().map(|worker| worker.running).sum(),
        shell,
        workers,
    }
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    let workers: Items<Worker> = visit.ask.get("/api/workers").await?;
    Ok(visit.page(&workers_page(visit.shell("workers"), workers.items)))
}

async fn drain_or_resume(
    visit: Visit,
    Path((name, action)): Path<(String, String)>,
    _: Posted,
) -> Result<Redirect, Refusal> {
    if !matches!(action.as_str(), "drain" | "resume") {
        return Err(refusal(StatusCode::NOT_FOUND, "There is no such action"));
    }
    visit.ask.act(&format!("/api/workers/{}/{action}", escape_query(&name)), None).await?;
    Ok(Redirect::to("/system/workers"))
}
