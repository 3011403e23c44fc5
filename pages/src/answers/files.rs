//! Files, what their columns are taken for, and rules tried on them.

use super::runs::PassCount;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct File {
    pub id: String,
    pub name: String,
    pub size_bytes: i64,
    pub created_at: DateTime<Utc>,
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
    /// Of a workbook, and the one that is shown.
    #[serde(default)]
    pub sheets: Vec<String>,
    pub sheet: Option<String>,
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
    /// The place in the mapping.
    pub at: String,
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
    pub file_id: Option<String>,
    pub name: String,
    pub created_at: Option<DateTime<Utc>>,
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
