//! Stager, rescuer, finisher, accountant and pruner: one round of each.

use crate::background::{Round, RoundError};
use shared::store::Store;
use shared::store::clean_up::Retention;
use shared::store::jobs::Rescued;
use shared::telemetry::trace::SpanRecord;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Rows changed in one statement: keeps transactions, and the locks they hold, short.
const BATCH: u32 = 500;
/// Batches finished in one transaction: each may count ten thousand jobs.
const BATCHES: u32 = 20;

#[derive(Clone)]
pub(crate) struct Upkeep {
    pub store: Store,
    pub relay_wake: Arc<Notify>,
    pub ring_again_after: Duration,
    pub lease_expiries_max: u16,
    pub retention: Retention,
    /// Of which an unmatched amount has been shown.
    pub currencies: Arc<Mutex<HashSet<String>>>,
}

fn set_unmatched(currency: &str, left: f64, right: f64) {
    for (side, amount) in [("left", left), ("right", right)] {
        metrics::gauge!(
            "counterfoil_reconciliation_unmatched_amount", "side" => side, "currency" => currency.to_owned()
        )
        .set(amount);
    }
}

/// Its worker had no time to: the trace shows what nobody else can tell.
fn record_lost_attempt(job: &Rescued) {
    let Some(trace) = job.trace() else { return };
    let held = Duration::try_from_secs_f64(job.held_s.unwrap_or(0.0)).unwrap_or_default();
    SpanRecord::below(trace, format!("lost {}", job.kind), held)
        .with("counterfoil.job.id", job.id.to_string())
        .with("counterfoil.job.kind", job.kind.clone())
        .with("counterfoil.job.attempt", i64::from(job.attempt))
        .with("counterfoil.job.outcome", "lease_expired")
        .with("counterfoil.worker", job.worker.clone())
        .failed(format!("worker {} stopped renewing its lease", job.worker))
        .send();
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
                trace_id = job.trace().map(|trace| tracing::field::display(trace.trace_id())),
                "took a job back from a silent worker"
            );
            record_lost_attempt(job);
        }
        let rung = self.store.ring_again(self.ring_again_after, BATCH).await?;
        metrics::counter!("counterfoil_doorbells_rung_again_total").increment(rung);
        Ok(self.rang(rung.max(rescued.len() as u64)))
    }

    /// Batches whose jobs are all final → finished, and the jobs that follow them accepted.
    pub(crate) async fn finish_batches(self) -> Result<Round, RoundError> {
        let finished = self.store.finish_batches(BATCHES).await?;
        metrics::counter!("counterfoil_batches_finished_total").increment(finished.len() as u64);
        for batch in &finished {
            tracing::info!(batch_id = %batch.id, "all jobs of a batch are final");
        }
        if finished.iter().any(|batch| batch.completion_job_id.is_some()) {
            self.relay_wake.notify_one();
        }
        Ok(if finished.len() == BATCHES as usize { Round::More } else { Round::Idle })
    }

    /// Compares the books with the jobs; see [`shared::store::job_ledger`].
    pub(crate) async fn balance(self) -> Result<Round, RoundError> {
        self.store.fold_job_ledger().await?;
        let balance = self.store.job_balance().await?;
        metrics::gauge!("counterfoil_jobs_accepted").set(balance.accepted as f64);
        metrics::gauge!("counterfoil_jobs_removed").set(balance.removed as f64);
        metrics::gauge!("counterfoil_jobs_unaccounted").set(balance.unaccounted() as f64);
        for (state, jobs) in
            [("completed", balance.completed), ("cancelled", balance.cancelled), ("dead", balance.dead)]
        {
            metrics::gauge!("counterfoil_jobs_finished", "state" => state).set(jobs as f64);
        }
        if balance.unaccounted() != 0 {
            tracing::error!(unaccounted = balance.unaccounted(), "jobs were accepted and are not there");
        }
        let amounts = self.store.unmatched_amounts().await?;
        let currencies: HashSet<String> = amounts.iter().map(|amount| amount.currency.clone()).collect();
        for amount in amounts {
            set_unmatched(&amount.currency, amount.left, amount.right);
        }
        let mut shown = self.currencies.lock().unwrap_or_else(|error| error.into_inner());
        // An old amount would look like one of today.
        shown.difference(&currencies).for_each(|currency| set_unmatched(currency, 0.0, 0.0));
        shown.extend(currencies);
        Ok(Round::Idle)
    }

    /// What is past its retention → gone; the months to come → prepared. Keeps tables small between the daily
    /// clean-ups, which do the same to the end.
    pub(crate) async fn prune(self) -> Result<Round, RoundError> {
        let cleaned = self.store.clean_up(&self.retention, BATCH).await?;
        metrics::counter!("counterfoil_jobs_pruned_total").increment(cleaned.jobs);
        metrics::counter!("counterfoil_idempotency_keys_pruned_total").increment(cleaned.idempotency_keys);
        if !cleaned.partitions.is_empty() {
            tracing::info!(partitions = cleaned.partitions.join(" "), "dropped results past their retention");
        }
        let overdue = self.store.results_overdue(self.retention.finished).await?;
        metrics::gauge!("counterfoil_results_overdue_seconds").set(overdue.as_secs_f64());
        let batch = u64::from(BATCH);
        let full = [
            cleaned.jobs,
            cleaned.batches,
            cleaned.idempotency_keys,
            cleaned.schedule_ticks,
            cleaned.workers,
        ];
        let more = full.iter().any(|rows| *rows >= batch) || !cleaned.partitions.is_empty();
        Ok(if more { Round::More } else { Round::Idle })
    }

    fn rang(&self, doorbells: u64) -> Round {
        if doorbells > 0 {
            self.relay_wake.notify_one();
        }
        if doorbells >= u64::from(BATCH) { Round::More } else { Round::Idle }
    }
}
