//! JSON lines for programs: one object a line, amounts as decimal texts so that nobody makes floats of them.

use super::{CandidateCells, ExceptionRow, MatchRow, RecordCells, tier_name};
use crate::RejectedLine;
use chrono::NaiveDate;
use matching::{Currency, ExceptionId, MatchId, Reason, Side, format_minor};
use serde::Serialize;
use std::io::{self, Write};

/// Writes any of the three kinds; mostly each to a file of its own.
pub struct JsonLines<W: Write>(W);

impl<W: Write> JsonLines<W> {
    pub fn new(out: W) -> Self {
        JsonLines(out)
    }

    pub fn write_match(&mut self, row: &MatchRow<'_>) -> io::Result<()> {
        self.write(&Match {
            id: row.id(),
            number: row.number,
            pass: row.pass,
            tier: tier_name(row.tier),
            confidence: row.confidence.as_f64(),
            currency: row.currency.code(),
            left: records(&row.left, row.currency),
            right: records(&row.right, row.currency),
            difference: format_minor(row.difference.into(), row.currency.exponent()),
            reasons: row.reasons,
        })
    }

    pub fn write_exception(&mut self, row: &ExceptionRow<'_>) -> io::Result<()> {
        self.write(&Exception {
            id: row.id(),
            kind: row.kind.as_str(),
            side: row.side.as_str(),
            currency: row.currency.code(),
            record: record(&row.record, row.currency),
            says: row.says,
            candidates: row.candidates.iter().map(candidate).collect(),
            candidates_found: row.candidates_found,
            first_run: row.first_run,
        })
    }

    pub fn write_rejected_line(&mut self, side: Side, row: &RejectedLine) -> io::Result<()> {
        self.write(&Rejected {
            side: side.as_str(),
            line: row.line,
            column: row.column.as_deref(),
            reason: &row.reason,
            excerpt: &row.excerpt,
        })
    }

    fn write(&mut self, row: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, row)?;
        self.0.write_all(b"\n")
    }

    /// Flushes and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

#[derive(Serialize)]
struct Match<'a> {
    id: MatchId,
    #[serde(rename = "match")]
    number: u64,
    pass: &'a str,
    tier: &'a str,
    confidence: f64,
    currency: &'a str,
    left: Vec<Record<'a>>,
    right: Vec<Record<'a>>,
    difference: String,
    reasons: &'a [Reason],
}

#[derive(Serialize)]
struct Exception<'a> {
    id: ExceptionId,
    kind: &'a str,
    side: &'a str,
    currency: &'a str,
    record: Record<'a>,
    says: &'a str,
    candidates: Vec<Candidate<'a>>,
    candidates_found: u32,
    first_run: u32,
}

#[derive(Serialize)]
struct Rejected<'a> {
    side: &'a str,
    line: u64,
    column: Option<&'a str>,
    reason: &'a str,
    excerpt: &'a str,
}

#[derive(Serialize)]
struct Record<'a> {
    id: &'a str,
    line: u64,
    date: String,
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    foreign: Option<ForeignRecord>,
}

#[derive(Serialize)]
struct ForeignRecord {
    currency: String,
    converted: String,
}

#[derive(Serialize)]
struct Candidate<'a> {
    side: &'a str,
    ids: &'a [&'a str],
    confidence: f64,
}

fn records<'a>(side: &[RecordCells<'a>], currency: Currency) -> Vec<Record<'a>> {
    side.iter().map(|cells| record(cells, currency)).collect()
}

fn record<'a>(record: &RecordCells<'a>, currency: Currency) -> Record<'a> {
    Record {
        id: record.id,
        line: record.line,
        date: date_text(record.date),
        amount: format_minor(record.amount.into(), record.currency(currency).exponent()),
        foreign: record.foreign.map(|foreign| ForeignRecord {
            currency: foreign.currency.code().to_owned(),
            converted: format_minor(foreign.converted.into(), currency.exponent()),
        }),
    }
}

fn candidate<'a>(candidate: &'a CandidateCells<'_>) -> Candidate<'a> {
    Candidate {
        side: candidate.side.as_str(),
        ids: &candidate.ids,
        confidence: candidate.confidence.as_f64(),
    }
}

/// ISO.
pub(super) fn date_text(days: i32) -> String {
    NaiveDate::from_epoch_days(days).map(|date| date.to_string()).unwrap_or_default()
}
