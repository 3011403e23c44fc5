//! `/api/health`, `/api/ready`, `/api/live`.

use super::{PATIENCE, Vitals};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::time::Instant;
use tokio::time::timeout;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthStatus)]
enum Status {
    Ok,
    /// It works, but something that can wait does not.
    Degraded,
    Down,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: Status,
    #[schema(inline)]
    database: DatabaseHealth,
    #[schema(inline)]
    broker: BrokerHealth,
    /// Null in processes that touch no file.
    #[schema(inline)]
    objects: Option<ObjectsHealth>,
}

#[derive(Serialize, ToSchema)]
struct DatabaseHealth {
    is_reachable: bool,
    /// Of one round trip; null when there was none.
    ping_ms: Option<f64>,
    /// Connections of this process.
    connections: u32,
    connections_idle: u32,
    connections_max: u32,
}

#[derive(Serialize, ToSchema)]
struct BrokerHealth {
    /// Jobs are accepted without it too; they wait in the database.
    is_reachable: bool,
    /// It takes no messages: a memory or disk alarm is on.
    is_blocked: bool,
}

#[derive(Serialize, ToSchema)]
struct ObjectsHealth {
    is_writable: bool,
}

/// How everything is that this process depends on. What exactly is wrong is in its log.
#[utoipa::path(
    get, path = "/api/health", tag = "operation",
    responses(
        (status = 200, description = "It works", body = Health),
        (status = 503, description = "The database is away", body = Health)
    )
)]
pub(crate) async fn health(State(vitals): State<Vitals>) -> (StatusCode, Json<Health>) {
    let (database, broker, objects) = tokio::join!(database(&vitals), broker(&vitals), objects(&vitals));
    let waits = !broker.is_reachable || broker.is_blocked || objects.as_ref().is_some_and(|o| !o.is_writable);
    let (code, status) = match (database.is_reachable, waits) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, Status::Down),
        (true, true) => (StatusCode::OK, Status::Degraded),
        (true, false) => (StatusCode::OK, Status::Ok),
    };
    (code, Json(Health { status, database, broker, objects }))
}

async fn database(vitals: &Vitals) -> DatabaseHealth {
    let started_at = Instant::now();
    let is_reachable = match timeout(PATIENCE, vitals.store.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(error = shared::chain(&error), "health: the database is away");
            false
        }
        Err(_) => {
            tracing::warn!(patience_s = PATIENCE.as_secs(), "health: the database does not answer");
            false
        }
    };
    let pools = vitals.store.pool_figures().map(|(_, pool)| pool);
    DatabaseHealth {
        is_reachable,
        ping_ms: is_reachable.then(|| started_at.elapsed().as_micros() as f64 / 1e3),
        connections: pools.iter().map(|pool| pool.size).sum(),
        connections_idle: pools.iter().map(|pool| pool.idle).sum(),
        connections_max: pools.iter().map(|pool| pool.max).sum(),
    }
}

async fn broker(vitals: &Vitals) -> BrokerHealth {
    match timeout(PATIENCE, vitals.queue.health()).await {
        Ok(health) => {
            if let Some(problem) = health.problem {
                tracing::warn!(problem, "health: the broker is away");
            }
            BrokerHealth { is_reachable: health.reachable, is_blocked: health.blocked }
        }
        Err(_) => {
            tracing::warn!(patience_s = PATIENCE.as_secs(), "health: the broker does not answer");
            BrokerHealth { is_reachable: false, is_blocked: false }
        }
    }
}

async fn objects(vitals: &Vitals) -> Option<ObjectsHealth> {
    let objects = vitals.objects.as_ref()?;
    let is_writable = match timeout(PATIENCE, objects.check()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "health: the object store takes no writes");
            false
        }
        Err(_) => {
            tracing::warn!(patience_s = PATIENCE.as_secs(), "health: the object store does not answer");
            false
        }
    };
    Some(ObjectsHealth { is_writable })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    is_ready: bool,
    /// What is still missing; empty when ready.
    missing: Vec<&'static str>,
}

impl Readiness {
    pub const READY: Self = Self { is_ready: true, missing: vec![] };
}

/// Whether to send requests here: the database answers and has all migrations.
#[utoipa::path(
    get, path = "/api/ready", tag = "operation",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not yet, or not at the moment", body = Readiness)
    )
)]
pub(crate) async fn ready(State(vitals): State<Vitals>) -> (StatusCode, Json<Readiness>) {
    let missing = match timeout(PATIENCE, vitals.store.is_migrated()).await {
        Ok(Ok(true)) => vec![],
        Ok(Ok(false)) => vec!["migrations"],
        Ok(Err(_)) | Err(_) => vec!["database"],
    };
    let is_ready = missing.is_empty();
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Readiness { is_ready, missing }))
}

/// Whether this process runs at all: asks nobody.
#[utoipa::path(
    get, path = "/api/live", tag = "operation",
    responses((status = 204, description = "It runs"))
)]
pub(crate) async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}
