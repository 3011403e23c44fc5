//! Results as CSV for spreadsheets: matches, exceptions and rejected lines to any `impl Write`.
//!
//! Each writer takes small rows of borrowed values, so that a result in memory and a result read back from a
//! database are written the same way, row by row, without ever being held as a whole.
//!
//! Safe to open: a *text* cell that a spreadsheet would run as a formula (it begins with `=`, `+`, `-`, `@`, a
//! tab or a line end) gets an apostrophe in front. Numbers stay numbers: amounts are plain decimals with a
//! point in major units, confidences have up to six decimals, dates are ISO.
//!
//! The same rows also go into an Excel workbook ([`ResultWorkbook`]), where texts are cells of the type text,
//! which no spreadsheet runs, and into lines of JSON ([`JsonLines`]).

mod columns;
mod excel;
mod json;

pub use excel::ResultWorkbook;
pub use json::JsonLines;

use crate::RejectedLine;
use chrono::NaiveDate;
use matching::{Confidence, Currency, ExceptionKind, Reason, Side, Tier, format_minor};
use std::borrow::Cow;
use std::io::{self, Write};

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

/// Whether the column names come first; without them, pages written one after the other make one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    Written,
    Omitted,
}

/// matches.csv. A match of m left and n right records takes max(m, n) lines with each record on exactly one of
/// them, and its difference and reasons on the first: sums over a column are right whatever the groups.
pub struct MatchesCsv<W: Write>(csv::Writer<W>);

impl<W: Write> MatchesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        let columns = [
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
        open(out, header, &columns).map(MatchesCsv)
    }

    pub fn write(&mut self, row: &MatchRow<'_>) -> io::Result<()> {
        let exponent = row.currency.exponent();
        let number = row.number.to_string();
        let confidence = row.confidence.as_f64().to_string();
        let mut difference = format_minor(row.difference.into(), exponent);
        let reasons: Vec<_> = row.reasons.iter().map(|reason| reason.says.as_str()).collect();
        let mut reasons = safe(&reasons.join("; ")).into_owned();
        for i in 0..row.left.len().max(row.right.len()) {
            let cells =
                |side: &[RecordCells<'_>]| side.get(i).map(|r| cells_of(r, exponent)).unwrap_or_default();
            let match_cells =
                [&number, &*safe(row.pass), tier_name(row.tier), &confidence, row.currency.code()];
            for cell in match_cells {
                self.0.write_field(cell)?;
            }
            for cell in cells(&row.left).iter().chain(&cells(&row.right)).chain([&difference, &reasons]) {
                self.0.write_field(cell)?;
            }
            self.0.write_record(None::<&[u8]>)?;
            difference.clear();
            reasons.clear();
        }
        Ok(())
    }

    /// Flushes and gives the writer back. Without this call, errors of the last bytes go unnoticed.
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

/// exceptions.csv, a line each.
pub struct ExceptionsCsv<W: Write>(csv::Writer<W>);

impl<W: Write> ExceptionsCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        let columns = [
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
        ];
        open(out, header, &columns).map(ExceptionsCsv)
    }

    pub fn write(&mut self, row: &ExceptionRow<'_>) -> io::Result<()> {
        let [id, line, date, amount] = cells_of(&row.record, row.currency.exponent());
        let candidates: Vec<_> = row.candidates.iter().map(candidate_text).collect();
        self.0.write_record([
            row.kind.as_str(),
            row.side.as_str(),
            &id,
            &line,
            &date,
            &amount,
            row.currency.code(),
            &safe(row.says),
            &safe(&candidates.join("; ")),
            &row.candidates_found.to_string(),
        ])?;
        Ok(())
    }

    /// As [`MatchesCsv::finish`].
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

/// rejected_lines.csv, a line each.
pub struct RejectedLinesCsv<W: Write>(csv::Writer<W>);

impl<W: Write> RejectedLinesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        open(out, header, &["side", "line", "column", "reason", "excerpt"]).map(RejectedLinesCsv)
    }

    pub fn write(&mut self, side: Side, row: &RejectedLine) -> io::Result<()> {
        self.0.write_record([
            side.as_str(),
            &row.line.to_string(),
            &safe(row.column.as_deref().unwrap_or_default()),
            &safe(&row.reason),
            &safe(&row.excerpt),
        ])?;
        Ok(())
    }

    /// As [`MatchesCsv::finish`].
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

fn open<W: Write>(out: W, header: Header, columns: &[&str]) -> io::Result<csv::Writer<W>> {
    let mut csv = csv::Writer::from_writer(out);
    if header == Header::Written {
        csv.write_record(columns)?;
    }
    Ok(csv)
}

fn close<W: Write>(csv: csv::Writer<W>) -> io::Result<W> {
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// Id, line, date, amount.
fn cells_of(record: &RecordCells<'_>, exponent: u32) -> [String; 4] {
    let date = NaiveDate::from_epoch_days(record.date).map(|date| date.to_string()).unwrap_or_default();
    let amount = format_minor(record.amount.into(), exponent);
    [safe(record.id).into_owned(), record.line.to_string(), date, amount]
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
