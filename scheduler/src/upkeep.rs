//! Stager, rescuer and pruner: one round of each.

use crate::background::{Round, RoundError};
use shared::store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Rows changed in one statement: keeps transactions, and the locks they hold, short.
const BATCH: u32 = 500;

#[derive(Clone)]
pub(crate) struct Upkeep {
    pub store: Store,
    pub relay_wake: Arc<Notify>,
    pub ring_again_after: Duration,
    pub lease_expiries_max: u16,
    pub retention: Duration,
}

impl Upkeep {
    /// Scheduled jobs whose time has come → available.
    pub(crate) async fn stage(self) -> Result<Round, RoundError> {
        let staged = self.store.stage(BATCH).await?;
        metrics::counter!("counterfoil_jobs_staged_total").increment(staged);
        Ok(self.rang(staged))
    }

    /// Expired leases → available (or dead); available jobs nobody took → rung again.
    pub(crate) async fn rescue(self) -> Result<Round, RoundError> {
        let rescued = self.store.rescue(BATCH, self.lease_expiries_max).await?;
        for job in &rescued {
            metrics::counter!(
                "counterfoil_jobs_rescued_total", "kind" => job.kind.clone(), "state" => job.state.as_str()
            )
            .increment(1);
            tracing::warn!(
                job_id = %job.id, kind = job.kind, state = %job.state, worker = job.worker, attempt = job.attempt,
                request_id = job.request_id.as_deref().unwrap_or(""),
                "took a job back from a silent worker"
            );
        }
        let rung = self.store.ring_again(self.ring_again_after, BATCH).await?;
        metrics::counter!("counterfoil_doorbells_rung_again_total").increment(rung);
        Ok(self.rang(rung.max(rescued.len() as u64)))
    }

    /// Finished jobs and months of results past their retention → gone; the months to come → prepared.
    pub(crate) async fn prune(self) -> Result<Round, RoundError> {
        // One that fails must not keep the others from their turn.
        let ensured = self.store.ensure_result_partitions().await;
        let dropped = self.store.drop_expired_results(self.retention).await;
        let pruned = self.store.prune_jobs(self.retention, BATCH).await?;
        metrics::counter!("counterfoil_jobs_pruned_total").increment(pruned);
        ensured?;
        let dropped = dropped?;
        if !dropped.is_empty() {
            tracing::info!(partitions = dropped.join(" "), "dropped results past their retention");
        }
        Ok(if pruned == u64::from(BATCH) || !dropped.is_empty() { Round::More } else { Round::Idle })
    }

    fn rang(&self, doorbells: u64) -> Round {
        if doorbells > 0 {
            self.relay_wake.notify_one();
        }
        if doorbells >= u64::from(BATCH) { Round::More } else { Round::Idle }
    }
}
