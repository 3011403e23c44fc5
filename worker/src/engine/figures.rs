//! What attempts of one kind are counted in. A series is looked up by name and labels, which costs more than counting in
//! it, so those of every attempt are looked up once for each kind.

use metrics::{Counter, Gauge, Histogram};
use shared::job::JobKind;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Figures {
    kind: JobKind,
    wait: Histogram,
    duration: Histogram,
    attempts: Histogram,
    completed: Counter,
}

impl Figures {
    pub fn new(kind: &JobKind) -> Self {
        let name = || kind.to_string();
        Self {
            kind: kind.clone(),
            wait: metrics::histogram!("counterfoil_job_wait_seconds", "kind" => name()),
            duration: metrics::histogram!("counterfoil_attempt_duration_seconds", "kind" => name()),
            attempts: metrics::histogram!("counterfoil_job_attempts", "kind" => name()),
            completed: ended_as(kind, "completed"),
        }
    }

    /// These, or others: a queue may hold what a newer version has put there.
    pub fn of(this: &Arc<Self>, kind: &JobKind) -> Arc<Self> {
        if this.kind == *kind { this.clone() } else { Arc::new(Self::new(kind)) }
    }

    pub fn started(&self, waited: Duration) {
        self.wait.record(waited.as_secs_f64());
    }

    pub fn ended(&self, outcome: &'static str, attempt: u16, took: Duration) {
        match outcome {
            "completed" => self.completed.increment(1),
            other => ended_as(&self.kind, other).increment(1),
        }
        if ["completed", "cancelled", "dead"].contains(&outcome) {
            self.attempts.record(f64::from(attempt));
        }
        self.duration.record(took.as_secs_f64());
    }
}

fn ended_as(kind: &JobKind, outcome: &'static str) -> Counter {
    metrics::counter!("counterfoil_attempts_total", "kind" => kind.to_string(), "outcome" => outcome)
}

/// Counts while it lives.
pub(super) struct BusySlot(Gauge);

impl BusySlot {
    pub fn of(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for BusySlot {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
