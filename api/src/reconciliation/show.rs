//! One reconciliation: its job, its attempts and, in the end, its figures.

use super::State as StateWord;
use super::summary::SummaryAnswer;
use crate::problem::Problem;
use crate::read::PathId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::JobId;
use shared::job::JobProgress;
use shared::store::jobs::AttemptView;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Reconciliation)]
pub(crate) struct ReconciliationAnswer {
    id: Uuid,
    project_id: Uuid,
    name: String,
    left_source_id: Uuid,
    right_source_id: Uuid,
    /// The run whose open items were carried in.
    continues: Option<Uuid>,
    /// The first run of its chain: its own id where it continues nothing.
    chain_id: Uuid,
    /// Its place in the chain, from 1.
    chain_position: i32,
    state: StateWord,
    priority: i16,
    /// Counted attempts so far.
    attempt: i32,
    attempts_max: i32,
    /// Of the newest attempt.
    progress: Option<Progress>,
    /// The last failure.
    error: Option<String>,
    /// The request that submitted it.
    request_id: Option<String>,
    created_at: DateTime<Utc>,
    /// Earliest start of the next attempt.
    due_at: DateTime<Utc>,
    cancel_requested_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// Oldest first.
    attempts: Vec<Attempt>,
    /// There once the job has completed.
    summary: Option<SummaryAnswer>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// What it is doing.
    phase: String,
    /// 0 to 100.
    pub percent: f32,
    pub rows_done: u64,
    rows_total: u64,
}

impl From<JobProgress> for Progress {
    fn from(progress: JobProgress) -> Self {
        Self {
            phase: progress.phase,
            percent: progress.percent,
            rows_done: progress.rows_done,
            rows_total: progress.rows_total,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Attempt {
    attempt: i32,
    worker: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// `completed`, `retried`, `snoozed`, `cancelled`, `dead`, `handed_back` or `lease_expired`; null while it runs.
    outcome: Option<String>,
    error: Option<String>,
}

impl From<AttemptView> for Attempt {
    fn from(attempt: AttemptView) -> Self {
        Self {
            attempt: attempt.attempt,
            worker: attempt.worker,
            started_at: attempt.started_at,
            finished_at: attempt.finished_at,
            outcome: attempt.outcome,
            error: attempt.error,
        }
    }
}

/// State, progress and attempts of a reconciliation.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}", tag = "reconciliation", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The reconciliation", body = ReconciliationAnswer))
)]
pub(crate) async fn show_reconciliation(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<ReconciliationAnswer>, Problem> {
    // The job first: a summary that comes in between is then simply shown early, never a completed job without.
    let job = api.store.job(id).await?.ok_or_else(Problem::not_found)?;
    let reconciliation = api.store.reconciliation(id).await?.ok_or_else(Problem::not_found)?;
    let attempts = api.store.attempts(id).await?;
    Ok(Json(ReconciliationAnswer {
        id: id.0,
        project_id: reconciliation.project_id.0,
        name: reconciliation.name,
        left_source_id: reconciliation.left_source_id.0,
        right_source_id: reconciliation.right_source_id.0,
        continues: reconciliation.continues.map(|id| id.0),
        chain_id: reconciliation.chain_id.0,
        chain_position: reconciliation.chain_position,
        state: job.state.into(),
        priority: job.priority,
        attempt: job.attempt,
        attempts_max: job.attempts_max,
        progress: job.progress.map(|progress| progress.0.into()),
        error: job.error,
        request_id: job.request_id,
        created_at: job.created_at,
        due_at: job.due_at,
        cancel_requested_at: job.cancel_requested_at,
        finished_at: job.finished_at,
        attempts: attempts.into_iter().map(Into::into).collect(),
        summary: reconciliation.summary.map(|summary| SummaryAnswer::new(summary, reconciliation.open_items)),
    }))
}
