//! CSV for spreadsheets.

use super::{
    EXCEPTION_COLUMNS, ExceptionRow, MATCH_COLUMNS, MatchRow, REJECTED_LINE_COLUMNS, RecordCells,
    candidate_text, date_text, safe, tier_name,
};
use crate::RejectedLine;
use matching::{Side, format_minor};
use std::io::{self, Write};

/// Whether the column names come first; without them, pages written one after the other make one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    Written,
    Omitted,
}

/// matches.csv. A match of m left and n right records takes max(m, n) lines with each record on exactly one of
/// them, and its difference and reasons on the first: sums over a column are right whatever the groups.
pub struct MatchesCsv<W: Write>(::csv::Writer<W>);

impl<W: Write> MatchesCsv<W> {
    pub fn new(out: W, header: Header) -> io::Result<Self> {
        open(out, header, &MATCH_COLUMNS).map(MatchesCsv)
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
pub struct ExceptionsCsv<W: Write>(::csv::Writer<W>);

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
        ])?;
        Ok(())
    }

    /// As [`MatchesCsv::finish`].
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

/// rejected_lines.csv, a line each.
pub struct RejectedLinesCsv<W: Write>(::csv::Writer<W>);

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

    /// As [`MatchesCsv::finish`].
    pub fn finish(self) -> io::Result<W> {
        close(self.0)
    }
}

fn open<W: Write>(out: W, header: Header, columns: &[&str]) -> io::Result<::csv::Writer<W>> {
    let mut csv = ::csv::Writer::from_writer(out);
    if header == Header::Written {
        csv.write_record(columns)?;
    }
    Ok(csv)
}

fn close<W: Write>(csv: ::csv::Writer<W>) -> io::Result<W> {
    csv.into_inner().map_err(::csv::IntoInnerError::into_error)
}

/// Id, line, date, amount.
fn cells_of(record: &RecordCells<'_>, exponent: u32) -> [String; 4] {
    let amount = format_minor(record.amount.into(), exponent);
    [safe(record.id).into_owned(), record.line.to_string(), date_text(record.date), amount]
}
