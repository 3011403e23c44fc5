//! Ringing for what this process has committed itself: where requests are accepted, no other process has to be told before
//! a doorbell leaves.
//!
//! Only the short way ([`super::few`]). What is crowded, and everything while the broker or the database has trouble, is for
//! the relays elsewhere: they are told, and look by themselves all the time.

use super::{Memory, Relay, RelayRules};
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

pub(crate) struct Own {
    relay: Relay,
    crowded_since: Option<Instant>,
}

impl Own {
    pub(crate) fn new(store: Store, queue: Queue, rules: RelayRules) -> Self {
        Self {
            relay: Relay { held_max: PATIENCE * 2, ..Relay::new(store, queue, rules) },
            crowded_since: None,
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
        let mut memory = self.relay.memory.lock().await;
        if self.crowded_since.is_some_and(|since| since.elapsed() >= CROWDED_FOR) {
            self.crowded_since = None;
            memory.crowded.clear();
        }
        let rung = tokio::time::timeout(PATIENCE, self.relay.ring_few(&mut memory)).await;
        if matches!(rung, Ok(Ok(_))) && memory.crowded.is_empty() {
            return true;
        }
        self.crowded_since.get_or_insert_with(Instant::now);
        let Memory { queues, crowded, .. } = &mut *memory;
        if queues.len() > super::QUEUES_MAX {
            queues.retain(|queue, _| crowded.contains(queue));
        }
        false
    }
}
