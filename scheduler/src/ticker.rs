//! The ticker: schedules that are due → ticks, jobs and doorbells.

use crate::background::{Round, RoundError};
use shared::clock::Clock;
use shared::schedule::TickOutcome;
use shared::store::Store;
use shared::store::schedules::{ChangeError, Ticked};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Schedules looked at in one round; each is a transaction of its own.
const BATCH: u32 = 200;

/// Decides what is due. Any number may run on one database: a schedule's row is locked while it is decided, and its
/// due times are unique in the ledger, so that each is decided once.
#[derive(Clone)]
pub struct Ticker {
    store: Store,
    relay_wake: Arc<Notify>,
    clock: Clock,
    shipped_are_stored: Arc<AtomicBool>,
    has_backup_stores: bool,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
pub enum TickerError {
    #[error("storing the shipped schedules")]
    Shipped(#[source] ChangeError),
    #[error(transparent)]
    Store(#[from] shared::store::StoreError),
}

impl Ticker {
    /// On the system clock the database's time counts, not this process's; on a manual one the manual time.
    pub fn new(store: Store, relay_wake: Arc<Notify>, clock: Clock) -> Self {
        Self { store, relay_wake, clock, shipped_are_stored: Arc::default(), has_backup_stores: false }
    }

    /// Whether there is a place for backups, so that the shipped schedules of backups make sense.
    pub fn with_backup_stores(self, has_backup_stores: bool) -> Self {
        Self { has_backup_stores, ..self }
    }

    /// Decides what is due, at most [`BATCH`] schedules. `true`: there may be more.
    ///
    /// A schedule whose transaction fails holds up no other, and is tried again with the next round.
    pub async fn tick(&self) -> Result<bool, TickerError> {
        let at = self.clock.manual_now();
        if !self.shipped_are_stored.load(Ordering::Relaxed) {
            let offered = self.store.offer_shipped_schedules(self.has_backup_stores, at).await;
            let stored = offered.map_err(TickerError::Shipped)?;
            for name in stored {
                tracing::info!(schedule = name, "stored a shipped schedule");
            }
            self.shipped_are_stored.store(true, Ordering::Relaxed);
        }
        let due = self.store.due_schedules(at, BATCH).await?;
        let mut first_error = None;
        for id in &due {
            match self.store.tick_schedule(*id, at).await {
                Ok(Some(ticked)) => self.report(&ticked),
                Ok(None) => {}
                Err(error) => {
                    metrics::counter!("counterfoil_schedule_tick_errors_total").increment(1);
                    first_error = first_error.or(Some(error));
                }
            }
        }
        let late_s = self.store.schedules_late_s(at).await?;
        metrics::gauge!("counterfoil_schedules_late_seconds").set(late_s);
        match first_error {
            Some(error) => Err(error.into()),
            None => Ok(due.len() == BATCH as usize),
        }
    }

    pub(crate) async fn round(self) -> Result<Round, RoundError> {
        Ok(if self.tick().await? { Round::More } else { Round::Idle })
    }

    fn report(&self, ticked: &Ticked) {
        let schedule = &ticked.schedule;
        let mut missed = 0;
        for tick in &ticked.ticks {
            metrics::counter!(
                "counterfoil_schedule_ticks_total",
                "kind" => schedule.kind.clone(), "outcome" => tick.outcome.as_str()
            )
            .increment(1);
            missed += u32::from(matches!(tick.outcome, TickOutcome::SkippedMissed | TickOutcome::Coalesced));
            if let Some(job_id) = tick.job_id {
                metrics::counter!("counterfoil_jobs_accepted_total", "kind" => schedule.kind.clone())
                    .increment(1);
                tracing::info!(
                    schedule_id = %schedule.id, schedule = schedule.name, due_at = %tick.due_at, %job_id,
                    "a schedule fired"
                );
                self.relay_wake.notify_one();
            }
        }
        if missed > 0 {
            tracing::warn!(schedule_id = %schedule.id, schedule = schedule.name, missed, "due times were missed");
        }
    }
}
