//! What the API answers, as far as pages show it. The API's own document describes every field; unknown ones are left
//! alone, so that both may grow.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Items<T> {
    pub items: Vec<T>,
    /// Address of the next page in the API.
    #[serde(default = "Option::default")]
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// What the next page is asked for with: the `after` of [`Self::next`].
    pub fn after(&self) -> Option<&str> {
        let (_, query) = self.next.as_deref()?.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix("after="))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct User {
    pub id: String,
    pub email: String,
    pub name: String,
    pub is_platform_admin: bool,
    #[serde(default)]
    pub has_second_factor: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Project {
    pub id: String,
    pub name: String,
    pub role: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dashboard {
    pub period_days: i64,
    pub jobs_by_state: BTreeMap<String, i64>,
    pub records: i64,
    pub matched_records: i64,
    pub matched_share: Option<f64>,
    pub matches: i64,
    pub exceptions: i64,
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub rejected_lines: i64,
    pub recent: Vec<ReconciliationLine>,
}

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
    pub continues: Option<String>,
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

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Record {
    pub id: String,
    pub line: i64,
    pub date: NaiveDate,
    pub amount: String,
    #[serde(default)]
    pub foreign: Option<Foreign>,
    pub fields: BTreeMap<String, String>,
    #[serde(default)]
    pub first_seen: Option<FirstSeen>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Foreign {
    pub currency: String,
    pub converted: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FirstSeen {
    pub run: i64,
    pub on: NaiveDate,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reason {
    pub field: String,
    pub says: String,
    pub weight: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Match {
    pub id: String,
    pub confidence: f64,
    pub tier: String,
    pub pass: String,
    pub currency: String,
    pub left_amount: String,
    pub right_amount: String,
    pub difference: String,
    pub left: Vec<Record>,
    pub right: Vec<Record>,
    pub reasons: Vec<Reason>,
    #[serde(default)]
    pub open_remainder: Option<Remainder>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Remainder {
    pub side: String,
    pub record_id: String,
    pub amount: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exception {
    pub id: String,
    pub kind: String,
    pub side: String,
    pub currency: String,
    pub amount: String,
    pub record: Record,
    pub says: String,
    pub candidates: Vec<Candidate>,
    pub candidates_found: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Candidate {
    #[serde(default)]
    pub side: Option<String>,
    pub currency: String,
    pub confidence: f64,
    pub records: Vec<Record>,
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RejectedLine {
    pub side: String,
    pub line: i64,
    pub column: Option<String>,
    pub reason: String,
    pub excerpt: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct File {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Guess {
    pub is: String,
    pub confidence: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Preview {
    pub format: Option<Guess>,
    pub encoding: Option<Guess>,
    pub delimiter: Option<Guess>,
    pub header_line: Option<Guess>,
    pub decimal_mark: Option<Guess>,
    pub columns: Vec<ColumnGuess>,
    pub mapping: Option<Value>,
    pub rows: Vec<TypedRow>,
    pub problems: Vec<Doubt>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnGuess {
    pub name: String,
    pub role: Option<String>,
    pub confidence: f64,
    pub date_formats: Vec<Guess>,
    pub date_order_unclear: bool,
    pub examples: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Doubt {
    pub says: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TypedRow {
    pub line: i64,
    pub id: String,
    pub date: NaiveDate,
    pub amount: String,
    pub currency: String,
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DryRun {
    pub lines: i64,
    pub whole: bool,
    pub records: i64,
    pub rejected: i64,
    pub reasons: Vec<ReasonGroup>,
    pub rows: Vec<TypedRow>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReasonGroup {
    pub column: Option<String>,
    pub reason: String,
    pub lines: i64,
    pub first_line: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DataSource {
    pub id: String,
    pub name: String,
    pub mapping: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Preset {
    pub name: String,
    pub title: String,
    pub text: String,
}

/// What rules make of the beginning of two files.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sample {
    pub left_records: i64,
    pub right_records: i64,
    pub is_whole: bool,
    pub left_matched: i64,
    pub right_matched: i64,
    pub matches: i64,
    pub suggested: i64,
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub passes: Vec<PassCount>,
    pub dropped_passes: Vec<String>,
    pub elapsed_ms: i64,
}

/// Something that now has an id.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Made {
    pub id: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JobLine {
    pub id: String,
    pub kind: String,
    pub state: String,
    pub attempt: i64,
    pub attempts_max: i64,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub worker: Option<String>,
    pub percent: Option<f64>,
    pub error: Option<String>,
}

impl JobLine {
    pub fn took(&self) -> Option<String> {
        self.finished_at.map(|at| crate::format::duration(at - self.created_at))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub id: String,
    pub kind: String,
    pub queue: String,
    pub project_id: Option<String>,
    pub batch_id: Option<String>,
    pub state: String,
    pub priority: i64,
    pub attempt: i64,
    pub attempts_max: i64,
    #[serde(default)]
    pub args: Value,
    pub result: Option<Value>,
    pub error: Option<String>,
    pub error_fingerprint: Option<String>,
    pub request_id: Option<String>,
    #[serde(default)]
    pub trace_id: Option<String>,
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempts: Vec<Attempt>,
    pub history: Vec<History>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct History {
    pub at: DateTime<Utc>,
    pub event: String,
    pub worker: Option<String>,
    pub detail: Option<String>,
}

/// Jobs by state, each counted up to `counted_up_to`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Counts {
    pub counted_up_to: i64,
    pub scheduled: i64,
    pub available: i64,
    pub running: i64,
    pub completed: i64,
    pub cancelled: i64,
    pub dead: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BulkDone {
    pub matched: i64,
    pub changed: i64,
    pub is_complete: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DeadGroup {
    pub fingerprint: String,
    pub kind: String,
    pub jobs: i64,
    pub newest_id: String,
    pub error: String,
    pub oldest_created_at: DateTime<Utc>,
    pub newest_created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Queue {
    pub name: String,
    pub available: i64,
    pub scheduled: i64,
    pub running: i64,
    pub oldest_age_s: f64,
    pub pause: Option<Pause>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pause {
    pub reason: String,
    pub paused_by: String,
    pub paused_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Limit {
    pub scope: String,
    pub name: String,
    pub jobs_max: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ScheduleLine {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub cron: String,
    pub time_zone: String,
    pub paused: bool,
    pub next_due_at: Option<DateTime<Utc>>,
    pub last_due_at: Option<DateTime<Utc>>,
    pub last_outcome: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Schedule {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub args: Value,
    pub priority: i64,
    pub cron: String,
    pub time_zone: String,
    pub missed_runs: String,
    pub paused: bool,
    pub paused_at: Option<DateTime<Utc>>,
    pub shipped: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DueTime {
    pub due_at: DateTime<Utc>,
    pub local: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tick {
    pub due_at: DateTime<Utc>,
    pub outcome: String,
    pub job_id: Option<String>,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StartedRun {
    pub job_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_asked_for_by_its_cursor() {
        let page = |next: Option<&str>| Items::<u8> { items: vec![], next: next.map(str::to_owned) };
        assert_eq!(page(Some("/api/jobs?limit=10&after=abc")).after(), Some("abc"));
        assert_eq!(page(Some("/api/jobs?limit=10")).after(), None);
        assert_eq!(page(None).after(), None);
    }
}
