//! What is counted of a reconciliation: once it is completed, so that a second attempt counts nothing twice.

use shared::store::reconciliations::Summary;
use std::time::Instant;

pub(super) fn count(summary: &Summary) {
    let whole = |count: i64| u64::try_from(count).unwrap_or(0);
    let sides = [
        ("left", summary.left_records, summary.left_matched, summary.left_rejected),
        ("right", summary.right_records, summary.right_matched, summary.right_rejected),
    ];
    for (side, records, matched, rejected) in sides {
        for (result, records) in [("matched", matched), ("unmatched", records - matched)] {
            metrics::counter!("counterfoil_reconciled_records_total", "side" => side, "result" => result)
                .increment(whole(records));
        }
        metrics::counter!("counterfoil_rejected_lines_total", "side" => side).increment(whole(rejected));
    }
    for (tier, matches) in
        [("confirmed", summary.matches - summary.suggested), ("suggested", summary.suggested)]
    {
        metrics::counter!("counterfoil_reconciliation_matches_total", "tier" => tier)
            .increment(whole(matches));
    }
    for (kind, exceptions) in &summary.exceptions_by_kind {
        metrics::counter!("counterfoil_reconciliation_exceptions_total", "kind" => kind.clone())
            .increment(whole(*exceptions));
    }
}

/// Times one phase after the other.
pub(super) struct PhaseWatch(Instant);

impl PhaseWatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn ends(&mut self, phase: &'static str) {
        let now = Instant::now();
        metrics::histogram!("counterfoil_reconciliation_phase_duration_seconds", "phase" => phase)
            .record((now - self.0).as_secs_f64());
        self.0 = now;
    }
}
