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
use chrono::{Datelike, NaiveDate};
use columns::{EXCEPTION_COLUMNS, MATCH_COLUMNS, REJECTED_LINE_COLUMNS};
use matching::{Confidence, Currency, ExceptionId, ExceptionKind, MatchId, Reason, Side, Tier, format_minor};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// One record as a result shows it.
#[derive(Debug, Clone, Copy)]
pub struct RecordCells<'a> {
    pub id: &'a str,
    pub line: u64,
    /// Days since 1970-01-01.
    pub date: i32,
    /// Minor units of the currency of the row it stands in, or of its own one.
    pub amount: i64,
    /// There when it was compared in another currency than its own.
    pub foreign: Option<Foreign>,
}

/// A record's own currency, and what its amount was taken for in that of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    pub currency: Currency,
    /// Minor units of the row's currency.
    pub converted: i64,
}

impl RecordCells<'_> {
    /// Of [`Self::amount`], in a row of `row`'s currency.
    fn currency(&self, row: Currency) -> Currency {
        self.foreign.map_or(row, |foreign| foreign.currency)
    }
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
    /// The run of the chain, from 1, whose file first had the record.
    pub first_run: u32,
}

impl MatchRow<'_> {
    pub fn id(&self) -> MatchId {
        MatchId::of_ids(self.left.iter().map(|cells| cells.id), self.right.iter().map(|cells| cells.id))
    }
}

impl ExceptionRow<'_> {
    pub fn id(&self) -> ExceptionId {
        ExceptionId::of_id(self.kind, self.side, self.record.id)
    }
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
pub struct MatchesCsv<W: Write> {
    out: W,
    /// Whole lines that are not written yet.
    lines: CsvText,
    reasons: String,
    id: String,
}

const FLUSH_BYTES: usize = 64 << 10;

impl<W: Write> MatchesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        let mut lines = CsvText::default();
        if header == Header::Written {
            MATCH_COLUMNS.iter().for_each(|column| lines.text(column));
            lines.end_line();
        }
        Ok(MatchesCsv { out, lines, reasons: String::new(), id: String::new() })
    }

    pub fn write(&mut self, row: &MatchRow<'_>) -> io::Result<()> {
        let exponent = row.currency.exponent();
        self.reasons.clear();
        for (i, reason) in row.reasons.iter().enumerate() {
            self.reasons.push_str(if i > 0 { "; " } else { "" });
            self.reasons.push_str(&reason.says);
        }
        self.id.clear();
        let _ = write!(self.id, "{}", row.id());
        let lines = &mut self.lines;
        for i in 0..row.left.len().max(row.right.len()) {
            lines.number(row.number);
            lines.text(&safe(row.pass));
            lines.text(tier_name(row.tier));
            lines.decimal(row.confidence.millionths().into(), 6, true);
            lines.text(row.currency.code());
            for side in [&row.left, &row.right] {
                match side.get(i) {
                    None => (0..4).for_each(|_| lines.text("")),
                    Some(cells) => {
                        lines.text(&safe(cells.id));
                        lines.number(cells.line);
                        lines.date(cells.date);
                        let own = cells.foreign.map_or(exponent, |foreign| foreign.currency.exponent());
                        lines.decimal(cells.amount.into(), own, false);
                    }
                }
            }
            if i == 0 {
                lines.decimal(row.difference.into(), exponent, false);
                lines.text(&safe(&self.reasons));
            } else {
                lines.text("");
                lines.text("");
            }
            for side in [&row.left, &row.right] {
                match side.get(i).and_then(|cells| cells.foreign) {
                    Some(foreign) => {
                        lines.text(foreign.currency.code());
                        lines.decimal(foreign.converted.into(), exponent, false);
                    }
                    None => (0..2).for_each(|_| lines.text("")),
                }
            }
            lines.text(&self.id);
            lines.end_line();
        }
        if self.lines.bytes.len() >= FLUSH_BYTES {
            self.out.write_all(&self.lines.bytes)?;
            self.lines.bytes.clear();
        }
        Ok(())
    }

    /// Writes what is left and gives the writer back. Without this call the last lines are missing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.lines.bytes)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Lines of CSV in memory. Where there are millions of them, this takes a quarter of the time that making a
/// text of every number first takes.
#[derive(Default)]
struct CsvText {
    bytes: Vec<u8>,
    inside_line: bool,
}

impl CsvText {
    fn begin_cell(&mut self) {
        if self.inside_line {
            self.bytes.push(b',');
        }
        self.inside_line = true;
    }

    fn end_line(&mut self) {
        self.bytes.push(b'\n');
        self.inside_line = false;
    }

    fn text(&mut self, text: &str) {
        self.begin_cell();
        if !text.bytes().any(|b| matches!(b, b',' | b'"' | b'\r' | b'\n')) {
            self.bytes.extend_from_slice(text.as_bytes());
            return;
        }
        self.bytes.push(b'"');
        for byte in text.bytes() {
            if byte == b'"' {
                self.bytes.push(b'"');
            }
            self.bytes.push(byte);
        }
        self.bytes.push(b'"');
    }

    fn number(&mut self, number: u64) {
        self.begin_cell();
        self.digits(number.into(), 1);
    }

    /// `minor` over ten to the `exponent`; `short`: without zeros at the end.
    fn decimal(&mut self, minor: i128, exponent: u32, short: bool) {
        self.begin_cell();
        if minor < 0 {
            self.bytes.push(b'-');
        }
        let unit = 10u128.pow(exponent);
        let (whole, mut fraction) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        self.digits(whole, 1);
        let mut digits = exponent as usize;
        while short && digits > 0 && fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        if digits > 0 {
            self.bytes.push(b'.');
            self.digits(fraction, digits);
        }
    }

    /// ISO; nothing for days outside the calendar.
    fn date(&mut self, days: i32) {
        self.begin_cell();
        let Some(date) = NaiveDate::from_epoch_days(days) else { return };
        if !(0..=9999).contains(&date.year()) {
            return self.bytes.extend_from_slice(date.to_string().as_bytes());
        }
        self.digits(date.year().unsigned_abs().into(), 4);
        self.bytes.push(b'-');
        self.digits(date.month().into(), 2);
        self.bytes.push(b'-');
        self.digits(date.day().into(), 2);
    }

    /// At least `width` digits.
    fn digits(&mut self, mut number: u128, width: usize) {
        let (mut digits, mut at) = ([b'0'; 40], 40);
        if let Ok(mut small) = u64::try_from(number) {
            while small > 0 {
                at -= 1;
                digits[at] += (small % 10) as u8;
                small /= 10;
            }
        } else {
            while number > 0 {
                at -= 1;
                digits[at] += (number % 10) as u8;
                number /= 10;
            }
        }
        self.bytes.extend_from_slice(&digits[at.min(40 - width)..]);
    }
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
