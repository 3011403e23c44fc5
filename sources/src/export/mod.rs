//! Results for people and programs: matches, exceptions and rejected lines as CSV, as an Excel workbook and as
//! JSON lines, to any `impl Write`.
//!
//! Each writer takes small rows of borrowed values, so that a result in memory and a result read back from a
//! database are written the same way, row by row, without ever being held as a whole.
//!
//! Safe to open: in CSV, a *text* cell that a spreadsheet would run as a formula (it begins with `=`, `+`, `-`, `@`, a
//! tab or a line end) gets an apostrophe in front. Numbers stay numbers: amounts are plain decimals with a
//! point in major units, confidences have up to six decimals, dates are ISO. In a workbook, texts are cells of
//! the type text, which no spreadsheet runs.

mod csv;
mod excel;
mod json;

use chrono::NaiveDate;
use matching::{Confidence, Currency, ExceptionKind, Reason, Side, Tier};
use std::borrow::Cow;

pub use csv::{ExceptionsCsv, Header, MatchesCsv, RejectedLinesCsv};
pub use excel::ResultWorkbook;
pub use json::JsonLines;

const MATCH_COLUMNS: [&str; 15] = [
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
];

const EXCEPTION_COLUMNS: [&str; 10] =
    ["kind", "side", "id", "line", "date", "amount", "currency", "says", "candidates", "candidates_found"];

const REJECTED_LINE_COLUMNS: [&str; 5] = ["side", "line", "column", "reason", "excerpt"];

/// One record as a result shows it.
#[derive(Debug, Clone, Copy)]
pub struct RecordCells<'a> {
    pub id: &'a str,
    pub line: u64,
    /// Days since 1970-01-01.
    pub date: i32,
    /// Minor units of the currency of the row it stands in.
    pub amount: i64,
}

#[derive(Debug, Clone)]
pub struct MatchRow<'a> {
    /// Number of the match in its result, from 1.
    pub number: u64,
    pub pass: &'a str,
    pub tier: Tier,
    pub confidence: Confidence,
    pub currency: Currency,
    pub left: Vec<RecordCells<'a>>,
    pub right: Vec<RecordCells<'a>>,
    /// Minor units.
    pub difference: i64,
    pub reasons: &'a [Reason],
}

#[derive(Debug, Clone)]
pub struct ExceptionRow<'a> {
    pub kind: ExceptionKind,
    pub side: Side,
    pub currency: Currency,
    pub record: RecordCells<'a>,
    pub says: &'a str,
    /// Best first.
    pub candidates: Vec<CandidateCells<'a>>,
    /// At least `candidates.len()`.
    pub candidates_found: u32,
}

/// Records that might belong to an exception.
#[derive(Debug, Clone)]
pub struct CandidateCells<'a> {
    pub side: Side,
    pub ids: Vec<&'a str>,
    pub confidence: Confidence,
}

/// ISO.
fn date_text(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map(|date| date.to_string()).unwrap_or_default()
}

/// `right L-17 + L-18 (0.93)`.
fn candidate_text(candidate: &CandidateCells<'_>) -> String {
    format!("{} {} ({})", candidate.side.as_str(), candidate.ids.join(" + "), candidate.confidence.as_f64())
}

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Confirmed => "confirmed",
        Tier::Suggested => "suggested",
    }
}

/// The text as a cell that no spreadsheet takes for a formula; their full-width forms count too.
pub fn safe(text: &str) -> Cow<'_, str> {
    let formula = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if text.starts_with(formula) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}
