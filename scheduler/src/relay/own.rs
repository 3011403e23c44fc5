//! Ringing for what this process has committed itself: where requests are accepted, no other process has to be told before
//! a doorbell leaves.
//!
//! Only the short way ([`super::few`]). What is crowded, and everything while the broker or the database has trouble, is for
//! the relays elsewhere: they are told, and look by themselves all the time.

use super::{Memory, Relay, RelayRules, rung_marks};
use futures_util::FutureExt;
use shared::queue::Queue;
use shared::store::Store;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Locked doorbells are nobody else's: after so long they are left to others.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a crowded queue is left to the relays elsewhere, without a look.
const CROWDED_FOR: Duration = Duration::from_millis(100);

/// How long everything is left to them after a round that failed: what such a round locks waits with it.
const LEFT_FOR: Duration = Duration::from_secs(10);

pub(crate) struct Own {
    relay: Relay,
    crowded_since: Option<Instant>,
    failed_at: Option<Instant>,
}

impl Own {
    pub(crate) fn new(store: Store, queue: Queue, rules: RelayRules) -> Self {
        Self {
            relay: Relay { held_max: PATIENCE * 2, ..Relay::new(store, queue, rules) },
            crowded_since: None,
            failed_at: None,
        }
    }

    /// A round for each ring of `committed`, until `stop`; rings `left` when something is left to others.
    pub(crate) async fn run(mut self, committed: &Notify, left: &Notify, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = committed.notified() => {}
            }
            let rung = AssertUnwindSafe(self.round()).catch_unwind().await;
            if rung.unwrap_or(false) {
                metrics::counter!("counterfoil_relay_wakes_total", "outcome" => "rung").increment(1);
            } else {
                left.notify_one();
            }
        }
    }

    /// `false`: something is left, or may be. Whatever goes wrong here is reported by those who have to do it then.
    async fn round(&mut self) -> bool {
        if self.failed_at.is_some_and(|at| at.elapsed() < LEFT_FOR) {
            return false;
        }
        let mut memory = self.relay.memory.lock().await;
        if self.crowded_since.is_some_and(|since| since.elapsed() >= CROWDED_FOR) {
            self.crowded_since = None;
            memory.crowded.clear();
        }
        let rung = tokio::time::timeout(PATIENCE, self.relay.ring_few(&mut memory)).await;
        if let Ok(Ok(rung)) = &rung {
            if memory.is_mark_due() && !rung.queues.is_empty() {
                // For those who ask why a job does not start; the next one is as good.
                let marks = rung_marks(&rung.queues);
                let _ = tokio::time::timeout(PATIENCE, self.relay.store.mark_dispatch(&marks)).await;
                memory.marked();
            }
            if memory.crowded.is_empty() {
                return true;
            }
        }
        self.failed_at = (!matches!(rung, Ok(Ok(_)))).then(Instant::now);
        self.crowded_since.get_or_insert_with(Instant::now);
        let Memory { queues, crowded, .. } = &mut *memory;
        if queues.len() > super::QUEUES_MAX {
            queues.retain(|queue, _| crowded.contains(queue));
        }
        false
    }
}
