//! Names of the columns, the same in CSV files and workbooks.

pub(super) const MATCH_COLUMNS: [&str; 20] = [
    "match",
    "pass",
    "tier",
    "confidence",
    "currency",
    "left_id",
    "left_line",
    "left_date",
    "left_amount",
    "right_id",
    "right_line",
    "right_date",
    "right_amount",
    "difference",
    "reasons",
    // Of a record that was compared in another currency than its own; else empty.
    "left_currency",
    "left_converted",
    "right_currency",
    "right_converted",
    "match_id",
];

pub(super) const EXCEPTION_COLUMNS: [&str; 12] = [
    "kind",
    "side",
    "id",
    "line",
    "date",
    "amount",
    "currency",
    "says",
    "candidates",
    "candidates_found",
    "exception_id",
    "first_run",
];

pub(super) const REJECTED_LINE_COLUMNS: [&str; 5] = ["side", "line", "column", "reason", "excerpt"];
