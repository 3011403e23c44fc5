//! What reconciliations find. Figures for finance.

use crate::telemetry::metric::{Label, Metric, Role, Unit};

const SIDE: Label = Label::one_of("side", &["left", "right"]);
const WORKER: &[Role] = &[Role::Worker];

pub(super) const METRICS: &[Metric] = &[
    Metric::counter(
        "counterfoil_reconciled_records_total",
        &[SIDE, Label::one_of("result", &["matched", "unmatched"])],
        WORKER,
        "Records of completed reconciliations",
    ),
    Metric::counter(
        "counterfoil_rejected_lines_total",
        &[SIDE],
        WORKER,
        "Lines of completed reconciliations that were no records",
    ),
    Metric::counter(
        "counterfoil_reconciliation_matches_total",
        &[Label::one_of("tier", &["confirmed", "suggested"])],
        WORKER,
        "Matches of completed reconciliations",
    ),
    Metric::counter(
        "counterfoil_reconciliation_exceptions_total",
        &[Label::one_of(
            "kind",
            &[
                "missing_left",
                "missing_right",
                "amount_differs",
                "date_differs",
                "currency_differs",
                "duplicate",
                "ambiguous",
            ],
        )],
        WORKER,
        "Exceptions of completed reconciliations",
    ),
    Metric::histogram(
        "counterfoil_reconciliation_phase_duration_seconds",
        Unit::Seconds,
        &[Label::one_of("phase", &["read", "match", "write"])],
        WORKER,
        "Time of a phase that came to its end",
    ),
    Metric::gauge(
        "counterfoil_reconciliation_unmatched_amount",
        Unit::Money,
        &[SIDE, Label::bounded("currency", "the 30 with the largest amounts")],
        &[Role::Scheduler],
        "Sum of the unmatched amounts of the reconciliations submitted in the last 24 hours, the newest 10,000 at most; \
         every 30 s",
    )
    .once("a completed reconciliation"),
];
