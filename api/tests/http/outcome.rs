//! What a worker would do, done by hand through the store.

use chrono::NaiveDate;
use shared::ids::JobId;
use shared::job::Lease;
use shared::store::jobs::{Finish, release};
use shared::store::reconciliations::{CurrencyBalance, PassSummary, Summary};
use shared::store::results::{
    StoredCandidate, StoredException, StoredMatch, StoredReason, StoredRecord, StoredRejectedLine,
    write_exceptions, write_matches, write_rejected_lines,
};
use shared::store::{Store, reconciliations};
use std::collections::BTreeMap;
use std::time::Duration;

pub async fn acquire(store: &Store, id: JobId) -> Lease {
    store.acquire(id, "worker-1", Duration::from_secs(60)).await.expect("asking").expect("a lease")
}

pub async fn finish(store: &Store, lease: &Lease, finish: Finish) {
    let mut tx = store.begin().await.expect("a transaction");
    release(&mut tx, lease, &finish).await.expect("the lease is ours");
    tx.commit().await.expect("committed");
}

/// What a completed reconciliation leaves behind.
#[derive(Default)]
pub struct Outcome {
    pub matches: Vec<StoredMatch>,
    pub exceptions: Vec<StoredException>,
    pub rejected: Vec<StoredRejectedLine>,
}

impl Outcome {
    /// Runs a whole attempt.
    pub async fn write(self, store: &Store, id: JobId) {
        let lease = acquire(store, id).await;
        self.write_with(store, &lease).await;
    }

    pub async fn write_with(self, store: &Store, lease: &Lease) {
        let summary = self.summary();
        let mut tx = store.begin().await.expect("a transaction");
        write_matches(&mut tx, lease.job_id, self.matches.into_iter()).await.expect("matches");
        write_exceptions(&mut tx, lease.job_id, self.exceptions.into_iter()).await.expect("exceptions");
        write_rejected_lines(&mut tx, lease.job_id, self.rejected.into_iter()).await.expect("lines");
        reconciliations::complete(&mut tx, lease.job_id, &summary).await.expect("a summary");
        let completed = Finish::Completed { result: serde_json::json!({}) };
        release(&mut tx, lease, &completed).await.expect("the lease is ours");
        tx.commit().await.expect("committed");
    }

    fn summary(&self) -> Summary {
        let matches = self.matches.len() as i64;
        let exceptions = self.exceptions.len() as i64;
        let mut exceptions_by_kind = BTreeMap::new();
        for exception in &self.exceptions {
            *exceptions_by_kind.entry(exception.kind.clone()).or_insert(0) += 1;
        }
        Summary {
            left_records: matches + exceptions,
            right_records: matches,
            left_matched: matches,
            right_matched: matches,
            matches,
            suggested: self.matches.iter().filter(|m| m.tier == "suggested").count() as i64,
            exceptions,
            left_rejected: self.rejected.len() as i64,
            right_rejected: 0,
            balance: vec![CurrencyBalance {
                currency: "EUR".into(),
                left_count: (matches + exceptions) as u64,
                right_count: matches as u64,
                left_total: "10.00".into(),
                right_total: "10.00".into(),
                left_matched: "10.00".into(),
                right_matched: "10.00".into(),
                left_unmatched: "0.00".into(),
                right_unmatched: "0.00".into(),
                matched_difference: "0.00".into(),
                right_flipped: "0.00".into(),
                open_remainder_left: "0.00".into(),
                open_remainder_right: "0.00".into(),
                converted_out: "0.00".into(),
                converted_in: "0.00".into(),
                converted_difference: "0.00".into(),
                difference: "0.00".into(),
                residual: "0.00".into(),
            }],
            exceptions_by_kind,
            passes: vec![PassSummary {
                name: "p".into(),
                matches: matches as u64,
                left_records: matches as u64,
                right_records: matches as u64,
                gave_up: 0,
                beyond_bound: 0,
            }],
        }
    }
}

pub fn record(id: &str, amount: i64) -> StoredRecord {
    StoredRecord {
        row: 0,
        line: 2,
        id: id.into(),
        date: NaiveDate::from_ymd_opt(2026, 1, 5).expect("a day"),
        amount,
        foreign: None,
        fields: BTreeMap::from([("reference".to_owned(), "INV-1001".to_owned())]),
        first_seen: None,
    }
}

/// Number `ordinal`, with so many millionths of confidence.
pub fn matched(ordinal: i32, confidence: i32) -> StoredMatch {
    StoredMatch {
        ordinal,
        confidence,
        tier: if confidence < 500_000 { "suggested" } else { "confirmed" }.into(),
        pass: 0,
        currency: "EUR".into(),
        difference: 5,
        left: vec![record(&format!("B{ordinal}"), 1005)],
        right: vec![record(&format!("L{ordinal}a"), 600), record(&format!("L{ordinal}b"), 400)],
        reasons: vec![StoredReason { field: "amount".into(), says: "amount 0.05 apart".into(), weight: 0.5 }],
        open_side: None,
        open_amount: None,
    }
}

pub fn exception(ordinal: i32, kind: &str) -> StoredException {
    StoredException {
        ordinal,
        kind: kind.into(),
        side: "left".into(),
        currency: "JPY".into(),
        amount: 1500,
        record: StoredRecord { row: ordinal as u32, ..record(&format!("X{ordinal}"), 1500) },
        says: "nothing like it".into(),
        candidates: vec![StoredCandidate {
            side: "right".into(),
            currency: "EUR".into(),
            records: vec![record("L9", 1500)],
            confidence: 0.25,
            reasons: vec![],
        }],
        candidates_found: 3,
    }
}

pub fn rejected(ordinal: i32) -> StoredRejectedLine {
    StoredRejectedLine {
        ordinal,
        side: "left".into(),
        line: i64::from(ordinal) + 2,
        column_name: Some("Amount".into()),
        reason: "\"abc\" is not an amount".into(),
        excerpt: "B9,2026-01-05,abc".into(),
    }
}
