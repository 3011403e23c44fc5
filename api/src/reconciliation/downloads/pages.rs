//! The one loop through pages of results, whatever becomes of them.

use super::{Broken, RunNames};
use crate::reconciliation::matches::confidence;
use crate::reconciliation::records::side;
use matching::{Currency, ExceptionKind, Reason, Tier};
use shared::ids::JobId;
use shared::store::results::{StoredException, StoredForeign, StoredMatch, StoredRecord, StoredRejectedLine};
use shared::store::{Store, StoreError};
use sources::RejectedLine;
use sources::export::{CandidateCells, ExceptionRow, Foreign, MatchRow, RecordCells};
use std::io;

/// Rows read at once: a few hundred kilobytes.
const PAGE_ROWS: u32 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Matches,
    Exceptions,
    RejectedLines,
}

impl Kind {
    pub fn file_name(self) -> &'static str {
        match self {
            Kind::Matches => "matches",
            Kind::Exceptions => "exceptions",
            Kind::RejectedLines => "rejected-lines",
        }
    }
}

/// Some rows in their order.
pub(super) enum Page {
    Matches(Vec<StoredMatch>),
    Exceptions(Vec<StoredException>),
    RejectedLines(Vec<StoredRejectedLine>),
}

/// The pages of one kind, one after the other; at least one, which may be empty.
pub(super) struct Pages {
    store: Store,
    pub id: JobId,
    kind: Kind,
    next: Next,
}

/// Where the next page begins.
#[derive(Clone, Copy)]
enum Next {
    First,
    After(i32),
    Nothing,
}

impl Pages {
    pub fn new(store: Store, id: JobId, kind: Kind) -> Self {
        Self { store, id, kind, next: Next::First }
    }

    /// `None` behind the last page, and behind one that could not be read.
    pub async fn next(&mut self) -> Option<Result<Page, Broken>> {
        let after = match self.next {
            Next::First => None,
            Next::After(ordinal) => Some(ordinal),
            Next::Nothing => return None,
        };
        let page = self.read(after).await;
        self.next = match &page {
            Ok(page) => page.last_ordinal().map_or(Next::Nothing, Next::After),
            Err(_) => Next::Nothing,
        };
        Some(page.map_err(Broken::Store))
    }

    async fn read(&self, after: Option<i32>) -> Result<Page, StoreError> {
        let (store, id) = (&self.store, self.id);
        Ok(match self.kind {
            Kind::Matches => Page::Matches(store.matches(id, after, 0, PAGE_ROWS).await?),
            Kind::Exceptions => Page::Exceptions(store.exceptions(id, None, after, PAGE_ROWS).await?),
            Kind::RejectedLines => Page::RejectedLines(store.rejected_lines(id, after, PAGE_ROWS).await?),
        })
    }
}

impl Page {
    /// Of a full page; nothing is behind another.
    fn last_ordinal(&self) -> Option<i32> {
        let (rows, last) = match self {
            Page::Matches(rows) => (rows.len(), rows.last().map(|row| row.ordinal)),
            Page::Exceptions(rows) => (rows.len(), rows.last().map(|row| row.ordinal)),
            Page::RejectedLines(rows) => (rows.len(), rows.last().map(|row| row.ordinal)),
        };
        last.filter(|_| rows == PAGE_ROWS as usize)
    }
}

/// Hands each match to `write`, as exports take it.
pub(super) fn each_match(
    rows: &[StoredMatch],
    names: &RunNames,
    mut write: impl FnMut(&MatchRow<'_>) -> io::Result<()>,
) -> io::Result<()> {
    rows.iter().try_for_each(|found| {
        let reason = |r: &shared::store::results::StoredReason| Reason {
            field: r.field.clone(),
            says: r.says.clone(),
            weight: r.weight,
        };
        let reasons: Vec<Reason> = found.reasons.iter().map(reason).collect();
        write(&MatchRow {
            number: found.ordinal.unsigned_abs() as u64 + 1,
            pass: names.passes.name(found.pass),
            tier: if found.tier == "suggested" { Tier::Suggested } else { Tier::Confirmed },
            confidence: confidence(found.confidence),
            currency: currency(&found.currency)?,
            left: found.left.iter().map(cells).collect::<io::Result<_>>()?,
            right: found.right.iter().map(cells).collect::<io::Result<_>>()?,
            difference: found.difference,
            reasons: &reasons,
        })
    })
}

/// As [`each_match`].
pub(super) fn each_exception(
    rows: &[StoredException],
    names: &RunNames,
    mut write: impl FnMut(&ExceptionRow<'_>) -> io::Result<()>,
) -> io::Result<()> {
    rows.iter().try_for_each(|found| {
        let kind = ExceptionKind::ALL.into_iter().find(|kind| kind.as_str() == found.kind);
        let candidates = found.candidates.iter().map(|candidate| CandidateCells {
            side: side(&candidate.side),
            ids: candidate.records.iter().map(|record| record.id.as_str()).collect(),
            confidence: matching::Confidence::from_f64(candidate.confidence),
        });
        write(&ExceptionRow {
            kind: kind.ok_or_else(|| io::Error::other(format!("exception kind {:?}", found.kind)))?,
            side: side(&found.side),
            currency: currency(&found.currency)?,
            record: cells(&found.record)?,
            says: &found.says,
            candidates: candidates.collect(),
            candidates_found: found.candidates_found.unsigned_abs(),
            first_run: found.record.first_seen.map_or(names.run, |seen| seen.run.unsigned_abs()),
        })
    })
}

pub(super) fn rejected_line(line: &StoredRejectedLine) -> RejectedLine {
    RejectedLine {
        line: line.line.unsigned_abs(),
        column: line.column_name.clone(),
        reason: line.reason.clone(),
        excerpt: line.excerpt.clone(),
    }
}

fn cells(record: &StoredRecord) -> io::Result<RecordCells<'_>> {
    let foreign = |foreign: &StoredForeign| {
        Ok::<_, io::Error>(Foreign { currency: currency(&foreign.currency)?, converted: foreign.converted })
    };
    Ok(RecordCells {
        id: &record.id,
        line: record.line,
        date: record.date.to_epoch_days(),
        amount: record.amount,
        foreign: record.foreign.as_ref().map(foreign).transpose()?,
    })
}

fn currency(code: &str) -> io::Result<Currency> {
    Currency::parse(code).map_err(io::Error::other)
}
