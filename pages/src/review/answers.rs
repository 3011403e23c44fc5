//! What the API answers about review, as far as pages show it.

use crate::answers::{Exception, Match, Record};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

/// What review knows of any item.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Item {
    pub number: i64,
    pub state: String,
    pub version: i64,
    pub assignee: Option<String>,
    pub due_on: Option<NaiveDate>,
    pub reason_code: Option<String>,
    pub comments: i64,
    /// The decision that waits for a second person.
    pub waiting: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReviewedException {
    #[serde(flatten)]
    pub item: Item,
    pub hand_match: Option<i64>,
    pub released_from: Option<i64>,
    pub exception: Exception,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReviewedMatch {
    #[serde(flatten)]
    pub item: Item,
    #[serde(rename = "match")]
    pub found: Match,
}

/// An exception with where the records of its candidates are now.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ExceptionDetail {
    pub item: ReviewedException,
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Place {
    /// From 0.
    pub candidate: usize,
    /// Of the exception that the record is; `None`: it is in a match.
    pub number: Option<i64>,
    pub state: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HandMatch {
    pub number: i64,
    pub state: String,
    pub version: i64,
    pub currency: String,
    pub left_amount: String,
    pub right_amount: String,
    pub difference: String,
    pub reason_code: Option<String>,
    pub waiting: Option<String>,
    pub made_at: DateTime<Utc>,
    pub left: Vec<Record>,
    pub right: Vec<Record>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Person {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Decision {
    pub id: String,
    pub job_id: String,
    pub action: String,
    pub subject: String,
    pub status: String,
    pub items: i64,
    pub is_bulk: bool,
    pub reason_code: Option<String>,
    pub comment: Option<String>,
    pub decided_by: Person,
    pub decided_at: DateTime<Utc>,
    pub judged: Option<Judged>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Judged {
    pub verdict: String,
    pub by: Person,
    pub at: DateTime<Utc>,
    pub reason: Option<String>,
}

/// How far a review is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Review {
    pub balance: Vec<Balance>,
    pub by_kind: Vec<KindCount>,
    pub by_assignee: Vec<AssigneeCount>,
    pub by_age: Vec<AgeCount>,
    /// Decisions that wait for a second person.
    pub waiting: i64,
    /// Suggested matches about which nobody has decided.
    pub suggested_open: i64,
    pub suggested: i64,
}

/// Where the money of a side is: `total = matched + matched_by_hand + written_off + open`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Balance {
    pub side: String,
    pub currency: String,
    pub total: String,
    pub matched: String,
    pub matched_by_hand: String,
    pub written_off: String,
    pub open: String,
    pub residual: String,
    pub open_records: i64,
}

impl Balance {
    pub fn closes(&self) -> bool {
        crate::answers::is_zero(&self.residual)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct KindCount {
    pub kind: String,
    pub state: String,
    pub count: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AssigneeCount {
    /// `None`: nobody's.
    pub user_id: Option<String>,
    pub name: Option<String>,
    pub count: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AgeCount {
    pub days_from: i64,
    /// `None`: and older.
    pub days_through: Option<i64>,
    pub count: i64,
}

/// What came of a decision.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Decided {
    pub id: String,
    pub status: String,
    pub items: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReasonCode {
    pub code: String,
    pub label: String,
    pub is_active: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Preview {
    pub count: i64,
    pub is_too_much: bool,
    pub sums: Vec<Sum>,
    pub matches: Vec<ReviewedMatch>,
    pub exceptions: Vec<ReviewedException>,
    pub token: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sum {
    pub currency: String,
    pub count: i64,
    pub amount: String,
}
