//! Telling that this worker lives, and hearing whether it may take jobs. Leases do not depend on it.

use super::tap::Taps;
use shared::store::Store;
use shared::store::workers::{HEARTBEAT_PERIOD, NewWorker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A call that hangs must not keep the next ones, or the end of the process.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Tells every [`HEARTBEAT_PERIOD`], and at once when the worker begins to drain: because `stopping` is told, or because
/// its taps are closed. Opens and closes them as it is told. Forgets the worker after `ended`.
pub(super) async fn keep_telling(
    store: Store,
    worker: NewWorker,
    taps: Taps,
    stopping: CancellationToken,
    ended: CancellationToken,
) {
    loop {
        let is_draining = stopping.is_cancelled() || taps.are_closed();
        let told = tokio::time::timeout(ANSWER_MAX, store.heartbeat(&worker, is_draining)).await;
        let outcome = match told {
            Ok(Ok(should_drain)) => {
                hear(&taps, should_drain, &worker.name);
                "ok"
            }
            // While the database is away everything stays as it was.
            Ok(Err(error)) => {
                tracing::debug!(error = %shared::chain(&error), "no heartbeat");
                "failed"
            }
            Err(_) => "failed",
        };
        metrics::counter!("counterfoil_worker_heartbeats_total", "outcome" => outcome).increment(1);
        tokio::select! {
            biased;
            () = ended.cancelled() => break,
            () = stopping.cancelled(), if !is_draining => {}
            () = taps.closed(), if !is_draining => {}
            () = tokio::time::sleep(HEARTBEAT_PERIOD) => {}
        }
    }
    // A row that stays is shown as silent, and pruned.
    let _ = tokio::time::timeout(ANSWER_MAX, store.forget_worker(&worker.name)).await;
}

fn hear(taps: &Taps, should_drain: bool, worker: &str) {
    match (taps.want(!should_drain), should_drain) {
        (true, true) => tracing::warn!(worker, "asked to take nothing new; what runs goes on"),
        (true, false) => tracing::warn!(worker, "takes jobs again"),
        (false, _) => {}
    }
}
