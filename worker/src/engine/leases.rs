//! The leases this process holds: renewed together, and given up together when Postgres is silent too long.

use crate::context::{JobContext, Signals, StopReason};
use shared::ids::JobId;
use shared::store::Store;
use shared::store::jobs::Held;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Also how often progress is published and a wish to cancel is noticed.
const RENEWAL_PERIOD_MAX: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Leases {
    store: Store,
    duration: Duration,
    held: Arc<Mutex<HashMap<(JobId, i64), Holding>>>,
    /// Set once by [`Self::stop_all`], for the leases that arrive after it.
    stopping: Arc<OnceLock<StopReason>>,
}

struct Holding {
    signals: Arc<Signals>,
    /// On our own clock: when Postgres last said that the lease is ours.
    confirmed_at: Instant,
}

/// Keeps one lease renewed while it lives.
pub(super) struct Renewed {
    leases: Leases,
    key: (JobId, i64),
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.key);
        self.leases.report();
    }
}

impl Leases {
    pub(super) fn new(store: Store, duration: Duration) -> Self {
        Self { store, duration, held: Arc::default(), stopping: Arc::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(JobId, i64), Holding>> {
        self.held.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// `acquired_at` is the moment *before* the lease was asked for: on our clock it can only expire earlier
    /// than in Postgres.
    pub(super) fn hold(&self, context: &JobContext, acquired_at: Instant) -> Renewed {
        let key = (context.lease().job_id, context.lease().fence);
        let holding = Holding { signals: context.signals().clone(), confirmed_at: acquired_at };
        self.lock().insert(key, holding);
        // After the insertion: whoever stops all either finds it in there, or has said so before this.
        if let Some(reason) = self.stopping.get() {
            context.signals().stop(*reason);
        }
        self.report();
        Renewed { leases: self.clone(), key }
    }

    fn report(&self) {
        metrics::gauge!("counterfoil_leases_held").set(self.lock().len() as f64);
    }

    /// Tells every running body to stop, and those that are about to start.
    pub(super) fn stop_all(&self, reason: StopReason) {
        let _ = self.stopping.set(reason);
        for holding in self.lock().values() {
            holding.signals.stop(reason);
        }
    }

    /// Renews everything held, until `stop`.
    pub(super) async fn keep_renewed(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval((self.duration / 5).min(RENEWAL_PERIOD_MAX));
        // After a pause of the whole process one renewal tells all; no need to catch up.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // A call that hangs must not hang the check below.
            let renewed = tokio::time::timeout(self.duration / 3, self.renew_once()).await;
            let outcome = match renewed {
                Ok(Ok(())) => "ok",
                Ok(Err(error)) => {
                    tracing::warn!(error = %shared::chain(&error), "could not renew leases");
                    "failed"
                }
                Err(_) => {
                    tracing::warn!("renewing leases took too long");
                    "failed"
                }
            };
            metrics::counter!("counterfoil_lease_renewals_total", "outcome" => outcome).increment(1);
            self.give_up_silent();
        }
    }

    async fn renew_once(&self) -> Result<(), shared::store::StoreError> {
        let held: Vec<Held> = self
            .lock()
            .iter()
            .map(|((job_id, fence), holding)| Held {
                job_id: *job_id,
                fence: *fence,
                progress: holding.signals.take_progress(),
            })
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let asked_at = Instant::now();
        let renewals = self.store.renew(&held, self.duration).await?;
        let mut lost: std::collections::HashSet<_> = held.iter().map(|h| (h.job_id, h.fence)).collect();
        let mut ours = self.lock();
        for renewal in renewals {
            let key = (renewal.job_id, renewal.fence);
            lost.remove(&key);
            if let Some(holding) = ours.get_mut(&key) {
                holding.confirmed_at = asked_at;
                if renewal.cancel_requested {
                    holding.signals.stop(StopReason::CancelRequested);
                }
            }
        }
        for key in lost {
            // Not held any more: it was released while we asked, and that is why there was no answer.
            if let Some(holding) = ours.get(&key) {
                holding.signals.stop(StopReason::LeaseLost);
            }
        }
        Ok(())
    }

    /// A lease that could not be confirmed for its whole duration may be somebody else's by now. The fence
    /// would refuse our results anyway; stopping saves the work.
    fn give_up_silent(&self) {
        for holding in self.lock().values() {
            if holding.confirmed_at.elapsed() >= self.duration {
                holding.signals.stop(StopReason::LeaseLost);
            }
        }
    }
}
