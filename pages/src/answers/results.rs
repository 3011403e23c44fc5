//! What a reconciliation found: matches, exceptions, lines that could not be read.

use chrono::NaiveDate;
use serde::Deserialize;
use std::collections::BTreeMap;

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
