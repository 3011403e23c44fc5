//! Writing what came out: everything in one transaction, which ends the job too.

use super::carry::Joined;
use super::flow::matched_entries;
use super::{Bench, MATCHED_PERCENT};
use crate::body::JobError;
use crate::context::FencedTx;
use chrono::NaiveDate;
use matching::{
    Candidate, Conversion, Currency, ExceptionKind, Outcome, Reason, Reasoner, Records, Row, RuleSet, Side,
    Tier, format_minor,
};
use shared::ids::JobId;
use shared::job::JobState;
use shared::notification::{Event, Unmatched};
use shared::store::matched_records::write_matched_records;
use shared::store::notifications::notify;
use shared::store::open_items::{self, OpenItemsSummary};
use shared::store::reconciliations::{CurrencyBalance, PassSummary, Summary, complete, submitter};
use shared::store::results::{
    StoredCandidate, StoredException, StoredForeign, StoredMatch, StoredReason, StoredRecord,
    StoredRejectedLine, write_exceptions, write_matches, write_rejected_lines,
};
use std::collections::BTreeMap;

pub(super) struct Results {
    pub joined: Joined,
    pub outcome: Outcome,
    pub rules: RuleSet,
    pub open_items: OpenItemsSummary,
}

/// Writes all results and completes the job, or does neither.
pub(super) async fn write(
    bench: &Bench,
    job_id: JobId,
    results: Results,
) -> Result<(JobState, Summary), JobError> {
    let total = results.outcome.matches.len() as u64;
    let mut tx = bench.context.begin().await?;
    let reasoner = Reasoner::new(results.records(Side::Left), results.records(Side::Right), &results.rules);
    let matches = results.outcome.matches.iter().enumerate().map(|(i, m)| {
        if i % 4096 == 0 {
            let share = i as f32 / total.max(1) as f32;
            bench.report(
                "writing results",
                MATCHED_PERCENT + (99.0 - MATCHED_PERCENT) * share,
                i as u64,
                total,
            );
        }
        results.stored_match(i, m, &reasoner)
    });
    write_matches(tx.connection(), job_id, matches).await?;
    let exceptions =
        results.outcome.exceptions.iter().enumerate().map(|(i, e)| results.stored_exception(i, e));
    write_exceptions(tx.connection(), job_id, exceptions).await?;
    write_rejected_lines(tx.connection(), job_id, results.rejected_lines()).await?;
    let summary = results.summary();
    complete(tx.connection(), job_id, &summary).await?;
    for side in [Side::Left, Side::Right] {
        let entries = matched_entries(&results.joined, &results.outcome, side);
        write_matched_records(tx.connection(), job_id, side.as_str(), entries).await?;
    }
    open_items::complete(tx.connection(), job_id, &results.open_items).await?;
    tell(&mut tx, bench, job_id, &summary).await?;
    let short = serde_json::json!({
        "matches": summary.matches,
        "exceptions": summary.exceptions,
        "rejected_lines": summary.left_rejected + summary.right_rejected,
    });
    Ok((tx.complete(short).await?, summary))
}

/// Whoever submitted it is told, with the figures, exactly if they are there.
async fn tell(tx: &mut FencedTx, bench: &Bench, job_id: JobId, summary: &Summary) -> Result<(), JobError> {
    let (name, submitted_by) = submitter(tx.connection(), job_id).await?;
    let event = Event::ReconciliationFinished {
        job_id,
        name,
        submitted_by,
        left_records: summary.left_records,
        right_records: summary.right_records,
        matches: summary.matches,
        suggested: summary.suggested,
        exceptions: summary.exceptions,
        rejected_lines: summary.left_rejected + summary.right_rejected,
        unmatched: summary
            .balance
            .iter()
            .map(|balance| Unmatched {
                currency: balance.currency.clone(),
                left: balance.left_unmatched.clone(),
                right: balance.right_unmatched.clone(),
            })
            .collect(),
    };
    notify(tx.connection(), bench.context.lease().project_id, &event).await?;
    Ok(())
}

impl Results {
    fn records(&self, side: Side) -> &Records {
        &self.joined.side(side).carried.records
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

    fn stored_match(&self, index: usize, m: &matching::Match, reasoner: &Reasoner<'_>) -> StoredMatch {
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
        m: &matching::Match,
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

    fn stored_exception(&self, index: usize, e: &matching::Exception) -> StoredException {
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

    fn rejected_lines(&self) -> impl Iterator<Item = StoredRejectedLine> {
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

    fn summary(&self) -> Summary {
        let outcome = &self.outcome;
        let mut exceptions_by_kind = BTreeMap::new();
        for kind in ExceptionKind::ALL {
            let count = outcome.exceptions.iter().filter(|e| e.kind == kind).count() as i64;
            if count > 0 {
                exceptions_by_kind.insert(kind.as_str().to_owned(), count);
            }
        }
        Summary {
            left_records: self.records(Side::Left).len() as i64,
            right_records: self.records(Side::Right).len() as i64,
            left_matched: outcome.matches.iter().map(|m| m.left.len() as i64).sum(),
            right_matched: outcome.matches.iter().map(|m| m.right.len() as i64).sum(),
            matches: outcome.matches.len() as i64,
            suggested: outcome.matches.iter().filter(|m| m.tier == Tier::Suggested).count() as i64,
            exceptions: outcome.exceptions.len() as i64,
            left_rejected: self.joined.left.rejected.len() as i64,
            right_rejected: self.joined.right.rejected.len() as i64,
            balance: outcome.proof.iter().map(balance).collect(),
            exceptions_by_kind,
            passes: outcome
                .passes
                .iter()
                .map(|pass| PassSummary {
                    name: pass.name.clone(),
                    matches: pass.matches,
                    left_records: pass.left_records,
                    right_records: pass.right_records,
                    gave_up: pass.gave_up,
                    beyond_bound: pass.beyond_bound,
                })
                .collect(),
        }
    }
}

fn balance(proof: &matching::CurrencyProof) -> CurrencyBalance {
    let money = |minor: i128| format_minor(minor, Currency::exponent(&proof.currency));
    CurrencyBalance {
        currency: proof.currency.code().into(),
        left_count: proof.left_count,
        right_count: proof.right_count,
        left_total: money(proof.left_total),
        right_total: money(proof.right_total),
        left_matched: money(proof.left_matched),
        right_matched: money(proof.right_matched),
        left_unmatched: money(proof.left_unmatched),
        right_unmatched: money(proof.right_unmatched),
        matched_difference: money(proof.matched_difference),
        right_flipped: money(proof.right_flipped),
        open_remainder_left: money(proof.open_remainder_left),
        open_remainder_right: money(proof.open_remainder_right),
        converted_out: money(proof.converted_out),
        converted_in: money(proof.converted_in),
        converted_difference: money(proof.converted_difference),
        difference: money(proof.left_total - proof.right_total),
        residual: money(proof.residual()),
    }
}

fn stored_reasons(reasons: &[Reason]) -> Vec<StoredReason> {
    let stored = |r: &Reason| StoredReason { field: r.field.clone(), says: r.says.clone(), weight: r.weight };
    reasons.iter().map(stored).collect()
}
