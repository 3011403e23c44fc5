//! `/api/metrics`: what this process has counted, and what is true in Postgres and the broker right now.

use super::{PATIENCE, Vitals, database_server};
use crate::problem::{Problem, ProblemDocument};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use metrics::gauge;
use shared::job::{JobKind, JobState};
use shared::store::jobs::QueueCount;
use std::collections::HashSet;
use std::sync::Mutex;
use tokio::time::timeout;

/// Remembers which series there are, so that a queue that has emptied shows zero and not its last figure.
#[derive(Default)]
pub(super) struct Gauges {
    known: Mutex<HashSet<(String, JobState)>>,
    paused: Mutex<HashSet<String>>,
}

const UNFINISHED: [JobState; 3] = [JobState::Scheduled, JobState::Available, JobState::Running];

/// Figures in the text format of Prometheus. Where `http.metrics_token` is set, only for those who send it as
/// `Authorization: Bearer`.
#[utoipa::path(
    get, path = "/api/metrics", tag = "operation",
    responses(
        (status = 200, description = "All figures", body = String, content_type = "text/plain"),
        (
            status = 401, description = "They need a token that was not sent", body = ProblemDocument,
            content_type = "application/problem+json"
        )
    )
)]
pub(crate) async fn metrics(
    State(vitals): State<Vitals>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    vitals.scrapers.admit(&headers)?;
    tokio::join!(
        read_jobs(&vitals),
        read_outbox(&vitals),
        read_depths(&vitals),
        read_pauses(&vitals),
        read_workers(&vitals),
        database_server::read(&vitals)
    );
    read_room(&vitals);
    for (name, pool) in vitals.store.pool_figures() {
        let used = pool.size.saturating_sub(pool.idle);
        gauge!("counterfoil_database_connections", "pool" => name, "state" => "idle").set(pool.idle);
        gauge!("counterfoil_database_connections", "pool" => name, "state" => "used").set(used);
        gauge!("counterfoil_database_connections_max", "pool" => name).set(pool.max);
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], vitals.metrics.render()))
}

/// NaN when nobody knows: an old figure would look like a true one.
async fn read_jobs(vitals: &Vitals) {
    let counts = timeout(PATIENCE, vitals.store.queue_counts()).await.ok().and_then(Result::ok);
    let mut known = vitals.gauges.known.lock().unwrap_or_else(|error| error.into_inner());
    for kind in JobKind::ALL {
        known.extend(UNFINISHED.map(|state| (kind.queue().as_str().to_owned(), state)));
    }
    let counted = counts.iter().flatten().map(|count| (count.queue.clone(), count.state));
    known.extend(counted);
    for (queue, state) in known.iter() {
        let found = |count: &&QueueCount| count.queue == *queue && count.state == *state;
        let (jobs, oldest_age_s) = match &counts {
            Some(counts) => {
                counts.iter().find(found).map_or((0.0, 0.0), |count| (count.jobs as f64, count.oldest_age_s))
            }
            None => (f64::NAN, f64::NAN),
        };
        gauge!("counterfoil_jobs", "queue" => queue.clone(), "state" => state.as_str()).set(jobs);
        gauge!("counterfoil_jobs_oldest_age_seconds", "queue" => queue.clone(), "state" => state.as_str())
            .set(oldest_age_s);
    }
}

/// 1 while a queue is paused. Queues that no longer are show 0.
async fn read_pauses(vitals: &Vitals) {
    let pauses = timeout(PATIENCE, vitals.store.queue_pauses()).await.ok().and_then(Result::ok);
    let mut known = vitals.gauges.paused.lock().unwrap_or_else(|error| error.into_inner());
    known.extend(JobKind::ALL.iter().map(JobKind::to_string));
    known.extend(pauses.iter().flatten().map(|pause| pause.queue.clone()));
    for queue in known.iter() {
        let paused = pauses.as_ref().map(|pauses| pauses.iter().any(|pause| pause.queue == *queue));
        gauge!("counterfoil_queue_paused", "queue" => queue.clone())
            .set(paused.map_or(f64::NAN, |paused| f64::from(u8::from(paused))));
    }
}

async fn read_workers(vitals: &Vitals) {
    let counts = timeout(PATIENCE, vitals.store.worker_counts()).await.ok().and_then(Result::ok);
    let (live, draining, silent) = counts.map_or((f64::NAN, f64::NAN, f64::NAN), |counts| {
        (counts.live as f64, counts.draining as f64, counts.silent as f64)
    });
    for (state, workers) in [("live", live), ("draining", draining), ("silent", silent)] {
        gauge!("counterfoil_workers", "state" => state).set(workers);
    }
}

async fn read_outbox(vitals: &Vitals) {
    let lag = timeout(PATIENCE, vitals.store.outbox_lag()).await.ok().and_then(Result::ok);
    let (doorbells, oldest_age_s) =
        lag.map_or((f64::NAN, f64::NAN), |lag| (lag.doorbells as f64, lag.oldest_age_s));
    gauge!("counterfoil_outbox_doorbells").set(doorbells);
    gauge!("counterfoil_outbox_oldest_age_seconds").set(oldest_age_s);
    let behind = timeout(PATIENCE, vitals.store.dispatch_lag_s()).await.ok().and_then(Result::ok);
    gauge!("counterfoil_dispatch_lag_seconds").set(behind.unwrap_or(f64::NAN));
}

async fn read_depths(vitals: &Vitals) {
    let read = async {
        for kind in JobKind::ALL {
            let queue = kind.queue();
            let depth = vitals.queue.depth(&queue).await.map_or(f64::NAN, |depth| depth as f64);
            gauge!("counterfoil_queue_depth", "queue" => queue.as_str().to_owned()).set(depth);
        }
    };
    if timeout(PATIENCE, read).await.is_err() {
        for kind in JobKind::ALL {
            gauge!("counterfoil_queue_depth", "queue" => kind.queue().as_str().to_owned()).set(f64::NAN);
        }
    }
    let dead_letters = timeout(PATIENCE, vitals.queue.dead_letters()).await.ok().and_then(Result::ok);
    gauge!("counterfoil_queue_dead_letters").set(dead_letters.map_or(f64::NAN, |letters| letters as f64));
}

/// Of the disk that holds the uploads. A mount that hangs would hang here too; then nothing else works either.
fn read_room(vitals: &Vitals) {
    let Some(objects) = &vitals.objects else { return };
    let (size, free) = match objects.room() {
        Ok(room) => (room.size_bytes as f64, room.free_bytes as f64),
        Err(_) => (f64::NAN, f64::NAN),
    };
    gauge!("counterfoil_disk_size_bytes", "dir" => "objects").set(size);
    gauge!("counterfoil_disk_free_bytes", "dir" => "objects").set(free);
}
