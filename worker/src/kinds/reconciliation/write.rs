//! Writing what came out: everything in one transaction, which ends the job too.

use super::Bench;
use super::carry::Joined;
use super::encode::{self, Encoded};
use crate::body::JobError;
use crate::context::FencedTx;
use futures_util::future::try_join;
use matching::{Currency, ExceptionKind, Outcome, RuleSet, Side, Tier, format_minor};
use shared::ids::JobId;
use shared::job::JobState;
use shared::notification::{Event, Unmatched};
use shared::store::matched_records::write_matched_records;
use shared::store::notifications::notify;
use shared::store::open_items::{self, OpenItemsSummary};
use shared::store::reconciliations::{CurrencyBalance, PassSummary, Summary, complete, submitter};
use shared::store::results::{
    INSERT_ROWS_MAX, copy_encoded, write_exceptions, write_matches, write_rejected_lines,
};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    let results = Arc::new(results);
    let mut tx = bench.context.begin().await?;
    let (encoder, encoded) = encode::pair();
    let (desk, found) = (bench.clone(), results.clone());
    let encoding = bench.context.blocking(move || encoder.encode(&desk, job_id, &found));
    // All rows were written only if all were encoded: both must succeed.
    try_join(encoding, write_rows(&mut tx, job_id, &results, encoded)).await?;
    let summary = results.summary();
    complete(tx.connection(), job_id, &summary).await?;
    open_items::complete(tx.connection(), job_id, &results.open_items).await?;
    tell(&mut tx, bench, job_id, &summary).await?;
    let short = serde_json::json!({
        "matches": summary.matches,
        "exceptions": summary.exceptions,
        "rejected_lines": summary.left_rejected + summary.right_rejected,
    });
    Ok((tx.complete(short).await?, summary))
}

/// In the order in which they are encoded; few rows are not.
async fn write_rows(
    tx: &mut FencedTx,
    job_id: JobId,
    results: &Results,
    mut encoded: Encoded,
) -> Result<(), JobError> {
    let conn = tx.connection();
    if results.outcome.matches.len() > INSERT_ROWS_MAX {
        copy_encoded(conn, job_id, encoded.matches).await?;
    } else {
        write_matches(conn, job_id, results.stored_matches()).await?;
    }
    if results.outcome.exceptions.len() > INSERT_ROWS_MAX {
        copy_encoded(conn, job_id, encoded.exceptions).await?;
    } else {
        write_exceptions(conn, job_id, results.stored_exceptions()).await?;
    }
    write_rejected_lines(conn, job_id, results.rejected_lines()).await?;
    while let Some((side, parts)) = encoded.matched_records.recv().await {
        write_matched_records(conn, job_id, side.as_str(), parts).await?;
    }
    Ok(())
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
