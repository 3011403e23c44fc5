//! Who runs jobs. For platform administrators.

use crate::caller::Administrator;
use crate::problem::Problem;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
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
    /// Finishes what it runs and takes nothing new.
    Draining,
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
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WorkerList {
    /// Those that live first, then the silent ones of the last day; at most 1000.
    items: Vec<WorkerAnswer>,
}

impl From<WorkerView> for WorkerAnswer {
    fn from(worker: WorkerView) -> Self {
        let state = match (worker.is_silent, worker.is_draining) {
            (true, _) => WorkerState::Silent,
            (false, true) => WorkerState::Draining,
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
