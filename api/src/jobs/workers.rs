//! Who runs jobs. For platform administrators.

use crate::caller::Administrator;
use crate::problem::Problem;
use crate::read::PathId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::workers::WorkerView;
use utoipa::ToSchema;
use uuid::Uuid;

const WORKERS_MAX: u32 = 1000;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerState {
    Live,
    /// Finishes what it runs and takes nothing new: it stops, or was asked to.
    Draining,
    /// Was asked to take nothing new, and runs nothing any more.
    Drained,
    /// Nothing was heard of it for 16 s; its leases run out by themselves.
    Silent,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerAnswer {
    /// As jobs and attempts call it.
    name: String,
    version: String,
    state: WorkerState,
    /// Kinds of jobs it knows and serves.
    kinds: Vec<String>,
    /// Jobs at once, of each kind.
    slots: i32,
    running: i64,
    /// The oldest 100 of what it runs.
    job_ids: Vec<Uuid>,
    started_at: DateTime<Utc>,
    heartbeat_at: DateTime<Utc>,
    /// Since when it is asked to take nothing new; null: it may take jobs.
    drain_asked_at: Option<DateTime<Utc>>,
    drain_asked_by: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WorkerList {
    /// Those that live first, then the silent ones of the last day; at most 1000.
    items: Vec<WorkerAnswer>,
}

impl From<WorkerView> for WorkerAnswer {
    fn from(worker: WorkerView) -> Self {
        let is_asked = worker.drain_asked_at.is_some();
        let state = match (worker.is_silent, worker.is_draining) {
            (true, _) => WorkerState::Silent,
            // It has heard it, so nothing follows what it ran.
            (false, true) if is_asked && worker.running == 0 => WorkerState::Drained,
            (false, true) => WorkerState::Draining,
            (false, false) if is_asked => WorkerState::Draining,
            (false, false) => WorkerState::Live,
        };
        Self {
            name: worker.name,
            version: worker.version,
            state,
            kinds: worker.kinds,
            slots: worker.slots,
            running: worker.running,
            job_ids: worker.job_ids.into_iter().map(|id| id.0).collect(),
            started_at: worker.started_at,
            heartbeat_at: worker.heartbeat_at,
            drain_asked_at: worker.drain_asked_at,
            drain_asked_by: worker.drain_asked_by,
        }
    }
}

/// Worker processes, and what they run. One that stopped in order is not among them.
#[utoipa::path(
    get, path = "/api/workers", tag = "administration", security(("access_token" = [])),
    responses((status = 200, description = "The workers", body = WorkerList))
)]
pub(crate) async fn list_workers(
    State(api): State<Api>,
    _: Administrator,
) -> Result<Json<WorkerList>, Problem> {
    let workers = api.store.workers(WORKERS_MAX).await?;
    Ok(Json(WorkerList { items: workers.into_iter().map(Into::into).collect() }))
}

/// Have a worker finish what it runs and take nothing new, until it is resumed or its process ends. It hears of it within
/// five seconds. Others take its share.
#[utoipa::path(
    post, path = "/api/workers/{name}/drain", tag = "administration", security(("access_token" = [])),
    params(("name" = String, Path)), responses((status = 204, description = "It is asked to"))
)]
pub(crate) async fn drain_worker(
    State(api): State<Api>,
    Administrator(user): Administrator,
    PathId(name): PathId<String>,
) -> Result<StatusCode, Problem> {
    if !api.store.drain_worker(&name, &user.email).await? {
        return Err(Problem::not_found());
    }
    tracing::warn!(worker = name, user_id = %user.id, "a worker is asked to drain");
    Ok(StatusCode::NO_CONTENT)
}

/// Let a worker take jobs again.
#[utoipa::path(
    post, path = "/api/workers/{name}/resume", tag = "administration", security(("access_token" = [])),
    params(("name" = String, Path)), responses((status = 204, description = "It may (again)"))
)]
pub(crate) async fn resume_worker(
    State(api): State<Api>,
    Administrator(user): Administrator,
    PathId(name): PathId<String>,
) -> Result<StatusCode, Problem> {
    if !api.store.let_worker_take_jobs(&name).await? {
        return Err(Problem::not_found());
    }
    tracing::warn!(worker = name, user_id = %user.id, "a worker may take jobs again");
    Ok(StatusCode::NO_CONTENT)
}
