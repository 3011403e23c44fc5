//! Reconciliations: in a list, while they run, and what came of them.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A reconciliation in a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReconciliationLine {
    pub id: String,
    pub name: String,
    pub state: String,
    pub percent: Option<f64>,
    pub error: Option<String>,
    pub records: Option<i64>,
    pub matched: Option<i64>,
    pub matches: Option<i64>,
    pub exceptions: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl ReconciliationLine {
    pub fn share(&self) -> Option<f64> {
        let (records, matched) = (self.records?, self.matched?);
        (records > 0).then(|| matched as f64 / records as f64)
    }

    /// From its submission to its end.
    pub fn took(&self) -> Option<String> {
        self.finished_at.map(|at| crate::format::duration(at - self.created_at))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Progress {
    pub phase: String,
    pub percent: f64,
    pub rows_done: i64,
    pub rows_total: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Attempt {
    pub attempt: i64,
    pub worker: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reconciliation {
    pub id: String,
    pub name: String,
    pub left_source_id: String,
    pub right_source_id: String,
    pub chain_position: i64,
    pub state: String,
    pub attempt: i64,
    pub attempts_max: i64,
    pub progress: Option<Progress>,
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempts: Vec<Attempt>,
    pub summary: Option<Summary>,
}

impl Reconciliation {
    pub fn is_final(&self) -> bool {
        self.summary.is_some() || matches!(self.state.as_str(), "cancelled" | "dead")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Summary {
    pub left_records: i64,
    pub right_records: i64,
    pub left_matched: i64,
    pub right_matched: i64,
    pub matches: i64,
    pub suggested: i64,
    pub exceptions: i64,
    pub left_rejected: i64,
    pub right_rejected: i64,
    pub balance: Vec<Balance>,
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub passes: Vec<PassCount>,
    pub open_items: Option<OpenItems>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Balance {
    pub currency: String,
    pub left_count: i64,
    pub right_count: i64,
    pub left_total: String,
    pub right_total: String,
    pub left_matched: String,
    pub right_matched: String,
    pub left_unmatched: String,
    pub right_unmatched: String,
    pub matched_difference: String,
    pub right_flipped: String,
    pub open_remainder_left: String,
    pub open_remainder_right: String,
    pub converted_out: String,
    pub converted_in: String,
    pub converted_difference: String,
    pub difference: String,
    pub residual: String,
}

/// `0`, `0.00`, `-0.0`.
pub(crate) fn is_zero(decimal: &str) -> bool {
    !decimal.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

impl Balance {
    pub fn closes(&self) -> bool {
        is_zero(&self.residual)
    }

    /// What explains the difference besides unmatched records, where there is any: words and amount.
    pub fn explanations(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("Tolerated inside matches", self.matched_difference.as_str()),
            ("Of that, after converting currencies", &self.converted_difference),
            ("Matched with the sign turned", &self.right_flipped),
            ("Left open by part payments, left", &self.open_remainder_left),
            ("Left open by part payments, right", &self.open_remainder_right),
            ("Compared in another currency", &self.converted_out),
            ("Arrived from other currencies", &self.converted_in),
        ];
        all.into_iter().filter(|(_, amount)| !is_zero(amount)).collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PassCount {
    pub name: String,
    pub matches: i64,
    pub left_records: i64,
    pub right_records: i64,
    pub gave_up: i64,
    pub beyond_bound: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OpenItems {
    pub carried_in: i64,
    pub resolved: i64,
    pub persisting: i64,
    pub new: i64,
}
