//! Blocking work that goes on although its attempt has ended.
//!
//! A thread cannot be ended from outside. Blocking work that does not look at its stop signal (an endless loop, a
//! call that never returns) therefore outlives its attempt: the attempt has failed, its slot and its job are free,
//! and nothing it still computes can be recorded, but it keeps its core and its memory. The only cure is a new
//! process, so the worker drains as after SIGTERM and ends with an error, for whatever supervises it to start
//! another. The job is tried again like any that failed, up to its last attempt.

use crate::context::JobContext;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
pub(super) struct StuckWatch {
    after: Duration,
    found: CancellationToken,
}

impl StuckWatch {
    pub fn new(after: Duration) -> Self {
        Self { after, found: CancellationToken::new() }
    }

    /// To be called when an attempt has ended: looks once more, a while later.
    pub fn attempt_ended(&self, context: &JobContext) {
        if context.blocking_parts() == 0 {
            return;
        }
        let (watch, context) = (self.clone(), context.clone());
        tokio::spawn(async move {
            tokio::time::sleep(watch.after).await;
            if context.blocking_parts() > 0 {
                metrics::counter!("counterfoil_attempts_stuck_total", "kind" => context.lease().kind.to_string())
                    .increment(1);
                let lease = context.lease();
                tracing::error!(
                    job_id = %lease.job_id, kind = %lease.kind, attempt = lease.attempt,
                    "blocking work goes on long after its attempt has ended; this worker has to start anew"
                );
                watch.found.cancel();
            }
        });
    }

    pub async fn found(&self) {
        self.found.cancelled().await;
    }
}
