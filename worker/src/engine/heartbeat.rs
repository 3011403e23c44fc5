//! Telling that this worker lives, for those who look. Leases do not depend on it.

use shared::store::Store;
use shared::store::workers::{HEARTBEAT_PERIOD, NewWorker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A call that hangs must not keep the next ones, or the end of the process.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Tells every [`HEARTBEAT_PERIOD`], and at once when `draining` is told; forgets the worker after `ended`.
pub(super) async fn keep_telling(
    store: Store,
    worker: NewWorker,
    draining: CancellationToken,
    ended: CancellationToken,
) {
    let mut told_draining = false;
    loop {
        let is_draining = draining.is_cancelled();
        told_draining |= is_draining;
        let told = tokio::time::timeout(ANSWER_MAX, store.heartbeat(&worker, is_draining)).await;
        let outcome = match told {
            Ok(Ok(())) => "ok",
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
            () = draining.cancelled(), if !told_draining => {}
            () = tokio::time::sleep(HEARTBEAT_PERIOD) => {}
        }
    }
    // A row that stays is shown as silent, and pruned.
    let _ = tokio::time::timeout(ANSWER_MAX, store.forget_worker(&worker.name)).await;
}
