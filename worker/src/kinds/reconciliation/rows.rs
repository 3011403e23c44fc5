//! Results as rows.

use super::write::Results;
use chrono::NaiveDate;
use matching::{Candidate, Conversion, Exception, Match, Reason, Reasoner, Records, Row, Side, Tier};
use shared::store::results::{
    StoredCandidate, StoredException, StoredForeign, StoredMatch, StoredReason, StoredRecord,
    StoredRejectedLine,
};

impl Results {
    pub(super) fn records(&self, side: Side) -> &Records {
        &self.joined.side(side).carried.records
    }

    /// Explains the matches.
    pub(super) fn reasoner(&self) -> Reasoner<'_> {
        Reasoner::new(self.records(Side::Left), self.records(Side::Right), &self.rules)
    }

    pub(super) fn stored_matches(&self) -> impl Iterator<Item = StoredMatch> {
        let reasoner = self.reasoner();
        self.outcome.matches.iter().enumerate().map(move |(i, m)| self.stored_match(i, m, &reasoner))
    }

    pub(super) fn stored_exceptions(&self) -> impl Iterator<Item = StoredException> {
        self.outcome.exceptions.iter().enumerate().map(|(i, e)| self.stored_exception(i, e))
    }

    fn stored_records(&self, side: Side, rows: &[Row]) -> Vec<StoredRecord> {
        rows.iter().map(|&row| self.stored_record(side, row)).collect()
    }

    fn stored_record(&self, side: Side, row: Row) -> StoredRecord {
        let records = self.records(side);
        let fields = records.field_names().iter().enumerate();
        StoredRecord {
            row,
            line: records.line(row),
            id: records.id(row).into(),
            date: NaiveDate::from_epoch_days(records.date(row)).unwrap_or_default(),
            amount: records.amount(row),
            foreign: None,
            fields: fields
                .map(|(i, name)| (name.clone(), records.field(i, row).to_owned()))
                .filter(|(_, text)| !text.is_empty())
                .collect(),
            first_seen: self.joined.first_seen(side, row),
        }
    }

    pub(super) fn stored_match(&self, index: usize, m: &Match, reasoner: &Reasoner<'_>) -> StoredMatch {
        let conversions = reasoner.conversions(m);
        StoredMatch {
            ordinal: index as i32,
            confidence: m.confidence.millionths() as i32,
            tier: match m.tier {
                Tier::Confirmed => "confirmed".into(),
                Tier::Suggested => "suggested".into(),
            },
            pass: m.pass as i16,
            currency: m.currency.code().into(),
            difference: m.difference,
            left: self.match_records(m, Side::Left, &conversions),
            right: self.match_records(m, Side::Right, &conversions),
            reasons: stored_reasons(&reasoner.reasons(m)),
            open_side: m.remainder().map(|open| open.side.as_str().to_owned()),
            open_amount: m.remainder().map(|open| open.amount),
        }
    }

    fn match_records(
        &self,
        m: &Match,
        side: Side,
        conversions: &[(Side, Row, Conversion)],
    ) -> Vec<StoredRecord> {
        let rows = if side == Side::Left { &m.left } else { &m.right };
        let mut records = self.stored_records(side, rows);
        for (_, row, conversion) in conversions.iter().filter(|(of, ..)| *of == side) {
            let currency = conversion.from.code().to_owned();
            let foreign = StoredForeign { currency, converted: conversion.converted };
            if let Ok(place) = rows.binary_search(row) {
                records[place].foreign = Some(foreign);
            }
        }
        records
    }

    pub(super) fn stored_exception(&self, index: usize, e: &Exception) -> StoredException {
        let records = self.records(e.side);
        StoredException {
            ordinal: index as i32,
            kind: e.kind.as_str().into(),
            side: e.side.as_str().into(),
            currency: records.currency(e.row).code().into(),
            amount: records.amount(e.row),
            record: self.stored_record(e.side, e.row),
            says: e.says.to_string(),
            candidates: e.candidates.iter().map(|c| self.stored_candidate(c)).collect(),
            candidates_found: e.candidates_found.try_into().unwrap_or(i32::MAX),
        }
    }

    fn stored_candidate(&self, c: &Candidate) -> StoredCandidate {
        let records = self.records(c.side);
        StoredCandidate {
            side: c.side.as_str().into(),
            currency: c.rows.first().map_or(String::new(), |&row| records.currency(row).code().into()),
            records: self.stored_records(c.side, &c.rows),
            confidence: c.confidence.as_f64(),
            reasons: stored_reasons(&c.reasons),
        }
    }

    pub(super) fn rejected_lines(&self) -> impl Iterator<Item = StoredRejectedLine> {
        let sides = [(Side::Left, &self.joined.left), (Side::Right, &self.joined.right)];
        let lines =
            sides.into_iter().flat_map(|(side, read)| read.rejected.iter().map(move |line| (side, line)));
        lines.enumerate().map(|(i, (side, line))| StoredRejectedLine {
            ordinal: i as i32,
            side: side.as_str().into(),
            line: line.line as i64,
            column_name: line.column.clone(),
            reason: line.reason.clone(),
            excerpt: line.excerpt.clone(),
        })
    }
}

fn stored_reasons(reasons: &[Reason]) -> Vec<StoredReason> {
    let stored = |r: &Reason| StoredReason { field: r.field.clone(), says: r.says.clone(), weight: r.weight };
    reasons.iter().map(stored).collect()
}
