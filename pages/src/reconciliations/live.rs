//! A reconciliation while it runs: its progress, and stopping it.

use super::{Names, id_of};
use crate::answers::{Progress, Reconciliation};
use crate::ask::Refusal;
use crate::form::Posted;
use crate::format;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};

/// The part of the page that changes.
#[derive(Template)]
#[template(path = "reconciliations/progress.html")]
pub(crate) struct ProgressPart {
    pub shell: Shell,
    pub run: Reconciliation,
    /// Of a running attempt.
    pub progress: Option<Progress>,
    /// Rows a second of this attempt, and the time that is left at that rate.
    pub pace: Option<Pace>,
}

pub(crate) struct Pace {
    pub rows_per_s: i64,
    pub left: String,
}

impl ProgressPart {
    pub fn new(shell: Shell, run: Reconciliation) -> Self {
        let pace = pace(&run, &shell);
        let progress = run.progress.clone().filter(|_| run.state == "running");
        Self { shell, run, progress, pace }
    }
}

/// By the share of the work, since phases differ in what a row costs.
fn pace(run: &Reconciliation, shell: &Shell) -> Option<Pace> {
    let progress = run.progress.as_ref().filter(|_| run.state == "running")?;
    let started_at = run.attempts.last()?.started_at;
    let elapsed_ms = (shell.now - started_at).num_milliseconds().max(1);
    let share = (progress.percent / 100.0).clamp(0.0, 1.0);
    if share < 0.02 || elapsed_ms < 500 {
        return None;
    }
    let left_ms = elapsed_ms as f64 * (1.0 - share) / share;
    Some(Pace {
        rows_per_s: (progress.rows_done as f64 * 1000.0 / elapsed_ms as f64) as i64,
        left: format::duration(chrono::TimeDelta::milliseconds(left_ms as i64)),
    })
}

pub(super) async fn cancel(visit: Visit, Path(names): Names, _: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    visit.ask.act(&format!("/api/reconciliation/jobs/{id}/cancel"), None).await?;
    Ok(Redirect::to(&format!("{}/reconciliations/{id}", visit.shell.base())).into_response())
}
