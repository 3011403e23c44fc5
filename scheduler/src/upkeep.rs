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
        let rescued = self.store.rescue(BATCH).await?;
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

    /// What is past its retention → gone; the months to come → prepared. Keeps tables small between the daily
    /// clean-ups, which do the same to the end.
    pub(crate) async fn prune(self) -> Result<Round, RoundError> {
        let cleaned = self.store.clean_up(self.retention, BATCH).await?;
        metrics::counter!("counterfoil_jobs_pruned_total").increment(cleaned.jobs);
        if !cleaned.partitions.is_empty() {
            tracing::info!(partitions = cleaned.partitions.join(" "), "dropped results past their retention");
        }
        let batch = u64::from(BATCH);
        let more = cleaned.jobs >= batch || cleaned.schedule_ticks >= batch || !cleaned.partitions.is_empty();
        Ok(if more { Round::More } else { Round::Idle })
    }

    fn rang(&self, doorbells: u64) -> Round {
        if doorbells > 0 {
            self.relay_wake.notify_one();
        }
        if doorbells >= u64::from(BATCH) { Round::More } else { Round::Idle }
    }
}
