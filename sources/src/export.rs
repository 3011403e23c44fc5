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
mod csv_text;
mod excel;
mod json;
mod matches_csv;
mod rows;

pub use excel::ResultWorkbook;
pub use json::JsonLines;
pub use matches_csv::MatchesCsv;
pub use rows::{CandidateCells, ExceptionRow, Foreign, MatchRow, RecordCells};

use crate::RejectedLine;
use chrono::NaiveDate;
use columns::{EXCEPTION_COLUMNS, REJECTED_LINE_COLUMNS};
use matching::{Side, Tier, format_minor};
use std::borrow::Cow;
use std::io::{self, Write};

/// Whether the column names come first; without them, pages written one after the other make one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    Written,
    Omitted,
}

/// exceptions.csv, a line each.
pub struct ExceptionsCsv<W: Write>(csv::Writer<W>);

impl<W: Write> ExceptionsCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        open(out, header, &EXCEPTION_COLUMNS).map(ExceptionsCsv)
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
            &row.id().to_string(),
            &row.first_run.to_string(),
        ])?;
        Ok(())
    }

    /// Flushes and gives the writer back. Without this call, errors of the last bytes go unnoticed.
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

/// rejected_lines.csv, a line each.
pub struct RejectedLinesCsv<W: Write>(csv::Writer<W>);

impl<W: Write> RejectedLinesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        open(out, header, &REJECTED_LINE_COLUMNS).map(RejectedLinesCsv)
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

    /// As [`ExceptionsCsv::finish`].
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
