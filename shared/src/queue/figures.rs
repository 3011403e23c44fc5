//! The figures this module exports. Names are part of the dashboards.

use super::{Doorbell, Published, QueueName};
use std::collections::HashSet;
use std::time::Duration;

/// Counts what became of a batch.
pub(super) fn count_published(doorbells: &[Doorbell], published: &Published, took: Duration) {
    metrics::histogram!("counterfoil_queue_publish_duration_seconds").record(took.as_secs_f64());
    let unroutable: HashSet<i64> = published.unroutable.iter().copied().collect();
    let unconfirmed: HashSet<i64> = published.unconfirmed.iter().copied().collect();
    count_doorbells(doorbells, |doorbell| {
        if unroutable.contains(&doorbell.outbox_id) {
            "unroutable"
        } else if unconfirmed.contains(&doorbell.outbox_id) {
            "unconfirmed"
        } else {
            "confirmed"
        }
    });
}

/// Counts a batch of which nobody knows what became.
pub(super) fn count_unknown(doorbells: &[Doorbell]) {
    count_doorbells(doorbells, |_| "unknown");
}

/// Those of one queue and outcome are mostly next to each other, and counted at once.
fn count_doorbells(doorbells: &[Doorbell], outcome_of: impl Fn(&Doorbell) -> &'static str) {
    let is_alike = |a: &Doorbell, b: &Doorbell| a.queue == b.queue && outcome_of(a) == outcome_of(b);
    for alike in doorbells.chunk_by(is_alike) {
        let Some(first) = alike.first() else { continue };
        metrics::counter!(
            "counterfoil_queue_published_total",
            "queue" => first.queue.as_str().to_owned(), "outcome" => outcome_of(first)
        )
        .increment(alike.len() as u64);
    }
}

pub(super) fn count_delivery(queue: &QueueName) {
    metrics::counter!("counterfoil_queue_deliveries_total", "queue" => queue.as_str().to_owned())
        .increment(1);
}

pub(super) fn count_undecodable(queue: &QueueName) {
    metrics::counter!("counterfoil_queue_undecodable_total", "queue" => queue.as_str().to_owned())
        .increment(1);
}

/// `outcome`: `opened`, `failed` (never came up), `lost` (came up, then broke), `closed` (we ended it).
pub(super) fn count_session(role: &'static str, outcome: &'static str) {
    metrics::counter!("counterfoil_queue_sessions_total", "role" => role, "outcome" => outcome).increment(1);
}

/// The number of connections this process holds in a role, as a guard: it counts while it lives.
pub(super) struct Connected(metrics::Gauge);

impl Connected {
    pub(super) fn count(role: &'static str) -> Self {
        let gauge = metrics::gauge!("counterfoil_queue_connected", "role" => role);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
