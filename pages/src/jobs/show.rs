//! One job: where it is, what happened to it, what it was asked to do.

use crate::answers::{History, Job};
use crate::ask::Refusal;
use crate::reconciliations::id_of;
use crate::shell::{Shell, Visit};
use crate::{format, words};
use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;
use std::collections::HashMap;

/// An event of the history, with the time since the one before.
pub(crate) struct Moment {
    pub event: String,
    pub says: String,
    pub at: chrono::DateTime<chrono::Utc>,
    pub worker: Option<String>,
    pub detail: Option<String>,
    pub after: String,
}

pub(crate) struct AttemptShown {
    pub number: i64,
    pub worker: String,
    pub started_at: chrono::DateTime<chrono::Utc>,
    pub took: String,
    pub outcome: String,
    pub error: Option<String>,
}

#[derive(Template)]
#[template(path = "jobs/show.html")]
pub(crate) struct JobPage {
    pub shell: Shell,
    pub job: Job,
    pub moments: Vec<Moment>,
    pub attempts: Vec<AttemptShown>,
    pub args: String,
    pub result: Option<String>,
    pub is_final: bool,
    /// Where its results are, if it is a reconciliation of this project.
    pub reconciliation: Option<String>,
    pub took: Option<String>,
}

pub(super) async fn show(
    visit: Visit,
    Path(names): Path<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let job: Job = visit.ask.get(&format!("/api/jobs/{}", id_of(&names))).await?;
    // A job has one home: links from elsewhere lead there.
    if let (Some(project), false) = (&job.project_id, visit.shell.is_system())
        && visit.project_id() != Some(project)
    {
        return Ok(Redirect::to(&format!("/p/{project}/jobs/{}", job.id)).into_response());
    }
    Ok(visit.page(&job_page(visit.shell("jobs"), job)))
}

pub(crate) fn job_page(shell: Shell, job: Job) -> JobPage {
    let is_reconciliation = job.kind == "reconciliation";
    let reconciliation = job.project_id.as_ref().filter(|_| is_reconciliation);
    JobPage {
        moments: moments(&job.history),
        attempts: job.attempts.iter().map(|attempt| attempt_shown(attempt, &shell)).collect(),
        args: pretty(&job.args),
        result: job.result.as_ref().map(pretty),
        is_final: matches!(job.state.as_str(), "completed" | "cancelled" | "dead"),
        reconciliation: reconciliation.map(|project| format!("/p/{project}/reconciliations/{}", job.id)),
        took: job.finished_at.map(|at| format::duration(at - job.created_at)),
        shell,
        job,
    }
}

fn moments(history: &[History]) -> Vec<Moment> {
    let befores = std::iter::once(None).chain(history.iter().map(|event| Some(event.at)));
    let moment = |(event, before): (&History, Option<chrono::DateTime<chrono::Utc>>)| Moment {
        event: event.event.clone(),
        says: words::event(&event.event),
        at: event.at,
        worker: event.worker.clone(),
        detail: event.detail.clone(),
        after: before.map(|before| format!("+{}", format::duration(event.at - before))).unwrap_or_default(),
    };
    history.iter().zip(befores).map(moment).collect()
}

fn attempt_shown(attempt: &crate::answers::Attempt, shell: &Shell) -> AttemptShown {
    AttemptShown {
        number: attempt.attempt,
        worker: attempt.worker.clone(),
        started_at: attempt.started_at,
        took: format::duration(attempt.finished_at.unwrap_or(shell.now) - attempt.started_at),
        outcome: attempt.outcome.as_deref().map_or_else(|| "Running".into(), words::words),
        error: attempt.error.clone(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
