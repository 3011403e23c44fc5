//! One job of any kind, with its attempts and its history.

use crate::problem::Problem;
use crate::read::PathId;
use crate::reconciliation::{Attempt, Progress, State as StateWord};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::JobId;
use shared::store::jobs::{History, HistoryEvent};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobAnswer {
    id: Uuid,
    kind: String,
    queue: String,
    /// Null for jobs of the system itself.
    project_id: Option<Uuid>,
    batch_id: Option<Uuid>,
    state: StateWord,
    priority: i16,
    /// Counted attempts so far, since it was last re-driven.
    attempt: i32,
    attempts_max: i32,
    /// Of the newest attempt.
    progress: Option<Progress>,
    /// What it was asked to do; of a reconciliation see its own route.
    #[schema(value_type = Object)]
    args: serde_json::Value,
    /// What it left when it completed. Results of reconciliations have routes of their own.
    #[schema(value_type = Option<Object>)]
    result: Option<serde_json::Value>,
    /// The last failure.
    error: Option<String>,
    /// Equal for dead jobs of one cause.
    error_fingerprint: Option<String>,
    /// The request that caused it.
    request_id: Option<String>,
    /// The trace it belongs to: 32 hex digits.
    trace_id: Option<String>,
    /// Who runs it.
    worker: Option<String>,
    /// Until when, unless renewed.
    lease_expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// Earliest start of the next attempt.
    due_at: DateTime<Utc>,
    cancel_requested_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// Oldest first; the newest 500.
    attempts: Vec<Attempt>,
    /// Oldest first.
    history: Vec<HistoryAnswer>,
}

/// One thing that happened to a job.
#[derive(Serialize, ToSchema)]
#[schema(as = JobHistory)]
pub(crate) struct HistoryAnswer {
    at: DateTime<Utc>,
    event: Event,
    /// The number of the lease it belongs to, from 1.
    lease: Option<i64>,
    worker: Option<String>,
    /// Who asked; null also for somebody with a shell on the server, whose name is the detail.
    by_user_id: Option<Uuid>,
    /// The phase, what went wrong, or who asked at a shell.
    detail: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobEvent)]
pub(crate) enum Event {
    Accepted,
    /// A worker took it.
    Leased,
    /// The attempt came to a new phase. Short ones may be missing.
    Phase,
    CancelRequested,
    /// Failed, waits for its next attempt.
    Retried,
    /// Not now; uncounted.
    Snoozed,
    /// Its worker left; uncounted.
    HandedBack,
    /// Its worker went silent.
    LeaseExpired,
    /// Somebody made it available before its time.
    MadeDue,
    /// Somebody had it start over after it was dead.
    ReDriven,
    Completed,
    Cancelled,
    Dead,
}

impl From<HistoryEvent> for Event {
    fn from(event: HistoryEvent) -> Self {
        match event {
            HistoryEvent::Accepted => Event::Accepted,
            HistoryEvent::Leased => Event::Leased,
            HistoryEvent::Phase => Event::Phase,
            HistoryEvent::CancelRequested => Event::CancelRequested,
            HistoryEvent::Retried => Event::Retried,
            HistoryEvent::Snoozed => Event::Snoozed,
            HistoryEvent::HandedBack => Event::HandedBack,
            HistoryEvent::LeaseExpired => Event::LeaseExpired,
            HistoryEvent::MadeDue => Event::MadeDue,
            HistoryEvent::ReDriven => Event::ReDriven,
            HistoryEvent::Completed => Event::Completed,
            HistoryEvent::Cancelled => Event::Cancelled,
            HistoryEvent::Dead => Event::Dead,
        }
    }
}

impl From<History> for HistoryAnswer {
    fn from(history: History) -> Self {
        Self {
            at: history.at,
            event: history.event.into(),
            lease: history.fence,
            worker: history.worker,
            by_user_id: history.by_user.map(|id| id.0),
            detail: history.detail,
        }
    }
}

/// State, attempts and history of a job.
#[utoipa::path(
    get, path = "/api/jobs/{id}", tag = "jobs", security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The job", body = JobAnswer))
)]
pub(crate) async fn show_job(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<JobAnswer>, Problem> {
    let (job, attempts, history) = api.store.job_with_history(id).await?.ok_or_else(Problem::not_found)?;
    let (args, result) = (api.store.job_args(id).await?.unwrap_or_default(), api.store.job_result(id).await?);
    let trace_id = job.trace_id();
    Ok(Json(JobAnswer {
        id: id.0,
        kind: job.kind,
        queue: job.queue,
        project_id: job.project_id.map(|id| id.0),
        batch_id: job.batch_id.map(|id| id.0),
        state: job.state.into(),
        priority: job.priority,
        attempt: job.attempt,
        attempts_max: job.attempts_max,
        progress: job.progress.map(|progress| progress.0.into()),
        args,
        result,
        error: job.error,
        error_fingerprint: job.error_fingerprint,
        request_id: job.request_id,
        trace_id,
        worker: job.worker,
        lease_expires_at: job.lease_expires_at,
        created_at: job.created_at,
        due_at: job.due_at,
        cancel_requested_at: job.cancel_requested_at,
        finished_at: job.finished_at,
        attempts: attempts.into_iter().map(Into::into).collect(),
        history: history.into_iter().map(Into::into).collect(),
    }))
}
