//! `/livez`, `/readyz`, `/startupz`: what whoever runs processes asks, under the names they know. The same answers as
//! `/api/live` and `/api/ready`, and one more.

use super::Vitals;
use super::health::{Readiness, live, ready};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

/// Whether this process runs at all: asks nobody, so that a database that is away starts no process anew.
#[utoipa::path(
    get, path = "/livez", tag = "operation",
    responses((status = 204, description = "It runs"))
)]
pub(crate) async fn livez() -> StatusCode {
    live().await
}

/// Whether to send requests here: the database answers and has all migrations.
#[utoipa::path(
    get, path = "/readyz", tag = "operation",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not yet, or not at the moment", body = Readiness)
    )
)]
pub(crate) async fn readyz(vitals: State<Vitals>) -> (StatusCode, Json<Readiness>) {
    ready(vitals).await
}

/// Whether this process was ready once. From then on it stays started, whatever becomes of the database.
#[utoipa::path(
    get, path = "/startupz", tag = "operation",
    responses(
        (status = 200, description = "Started", body = Readiness),
        (status = 503, description = "Not yet", body = Readiness)
    )
)]
pub(crate) async fn startupz(State(vitals): State<Vitals>) -> (StatusCode, Json<Readiness>) {
    if vitals.was_ready.load(Ordering::Relaxed) {
        return (StatusCode::OK, Json(Readiness::READY));
    }
    let (code, answer) = ready(State(vitals.clone())).await;
    vitals.was_ready.fetch_or(code.is_success(), Ordering::Relaxed);
    (code, answer)
}
