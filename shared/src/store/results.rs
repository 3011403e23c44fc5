//! Results of reconciliations: written once by binary COPY, read by range.

use super::copy::CopyWriter;
use super::{Store, StoreError};
use crate::ids::JobId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// A record as it was read from its file, kept with the result so that the result stands by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// Position within its side, from 0.
    pub row: u32,
    /// Line (CSV) or element (JSON) of the file, from 1.
    pub line: u64,
    pub id: String,
    /// ISO 8601 day.
    pub date: chrono::NaiveDate,
    /// Minor units of the row's currency.
    pub amount: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Evidence for or against a pairing; see `matching::Reason`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredReason {
    pub field: String,
    pub says: String,
    pub weight: f64,
}

/// A record (or group) that might belong to an exception's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredCandidate {
    pub side: String,
    pub currency: String,
    pub records: Vec<StoredRecord>,
    /// 0 to 1.
    pub confidence: f64,
    pub reasons: Vec<StoredReason>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredMatch {
    /// Position by confidence, best first, from 0.
    pub ordinal: i32,
    /// Millionths.
    pub confidence: i32,
    /// `confirmed` or `suggested`.
    pub tier: String,
    pub pass: i16,
    pub currency: String,
    /// Minor units, left minus right.
    pub difference: i64,
    pub left: Vec<StoredRecord>,
    pub right: Vec<StoredRecord>,
    pub reasons: Vec<StoredReason>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredException {
    /// Position by kind, side and row, from 0.
    pub ordinal: i32,
    pub kind: String,
    pub side: String,
    pub currency: String,
    pub amount: i64,
    pub record: StoredRecord,
    pub says: String,
    pub candidates: Vec<StoredCandidate>,
    pub candidates_found: i32,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct StoredRejectedLine {
    pub ordinal: i32,
    pub side: String,
    pub line: i64,
    pub column_name: Option<String>,
    pub reason: String,
    pub excerpt: String,
}

/// Writes matches in the caller's transaction; `matches` yields them in order of their ordinals.
pub async fn write_matches(
    conn: &mut PgConnection,
    job_id: JobId,
    matches: impl Iterator<Item = StoredMatch>,
) -> Result<u64, StoreError> {
    let mut copy = CopyWriter::start(
        conn,
        "COPY matches (job_id, ordinal, confidence, tier, pass, currency, difference, left_records,
                       right_records, reasons) FROM STDIN (FORMAT binary)",
    )
    .await?;
    for m in matches {
        copy.row(10)
            .uuid(job_id.0)
            .i32(m.ordinal)
            .i32(m.confidence)
            .text(&m.tier)
            .i16(m.pass)
            .text(&m.currency)
            .i64(m.difference)
            .jsonb(&m.left)
            .jsonb(&m.right)
            .jsonb(&m.reasons);
        copy.flush_if_full().await?;
    }
    copy.finish().await
}

/// Writes exceptions in the caller's transaction, in order of their ordinals.
pub async fn write_exceptions(
    conn: &mut PgConnection,
    job_id: JobId,
    exceptions: impl Iterator<Item = StoredException>,
) -> Result<u64, StoreError> {
    let mut copy = CopyWriter::start(
        conn,
        "COPY exceptions (job_id, ordinal, kind, side, currency, amount, record, says, candidates,
                          candidates_found) FROM STDIN (FORMAT binary)",
    )
    .await?;
    for e in exceptions {
        copy.row(10)
            .uuid(job_id.0)
            .i32(e.ordinal)
            .text(&e.kind)
            .text(&e.side)
            .text(&e.currency)
            .i64(e.amount)
            .jsonb(&e.record)
            .text(&e.says)
            .jsonb(&e.candidates)
            .i32(e.candidates_found);
        copy.flush_if_full().await?;
    }
    copy.finish().await
}

/// Writes rejected lines in the caller's transaction, in order of their ordinals.
pub async fn write_rejected_lines(
    conn: &mut PgConnection,
    job_id: JobId,
    lines: impl Iterator<Item = StoredRejectedLine>,
) -> Result<u64, StoreError> {
    let mut copy = CopyWriter::start(
        conn,
        "COPY rejected_lines (job_id, ordinal, side, line, column_name, reason, excerpt)
         FROM STDIN (FORMAT binary)",
    )
    .await?;
    for line in lines {
        let mut row = copy.row(7);
        row.uuid(job_id.0).i32(line.ordinal).text(&line.side).i64(line.line);
        match &line.column_name {
            Some(name) => row.text(name),
            None => row.null(),
        };
        row.text(&line.reason).text(&line.excerpt);
        copy.flush_if_full().await?;
    }
    copy.finish().await
}

#[derive(sqlx::FromRow)]
struct MatchRow {
    ordinal: i32,
    confidence: i32,
    tier: String,
    pass: i16,
    currency: String,
    difference: i64,
    left_records: Json<Vec<StoredRecord>>,
    right_records: Json<Vec<StoredRecord>>,
    reasons: Json<Vec<StoredReason>>,
}

#[derive(sqlx::FromRow)]
struct ExceptionRow {
    ordinal: i32,
    kind: String,
    side: String,
    currency: String,
    amount: i64,
    record: Json<StoredRecord>,
    says: String,
    candidates: Json<Vec<StoredCandidate>>,
    candidates_found: i32,
}

impl Store {
    /// Matches after `after` (an ordinal; `None`: from the best) with at least `confidence_min` millionths,
    /// best first, at most `limit`: one range of the primary key. The minimum cuts the page short and is no
    /// filter in SQL: matches below it are all behind those above it, and need not be visited.
    pub async fn matches(
        &self,
        job_id: JobId,
        after: Option<i32>,
        confidence_min: i32,
        limit: u32,
    ) -> Result<Vec<StoredMatch>, StoreError> {
        let rows: Vec<MatchRow> = sqlx::query_as(
            "SELECT ordinal, confidence, tier::text AS tier, pass, currency, difference, left_records,
                    right_records, reasons
             FROM matches WHERE job_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
        )
        .bind(job_id)
        .bind(after.unwrap_or(-1))
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?;
        Ok(rows
            .into_iter()
            .take_while(|row| row.confidence >= confidence_min)
            .map(|row| StoredMatch {
                ordinal: row.ordinal,
                confidence: row.confidence,
                tier: row.tier,
                pass: row.pass,
                currency: row.currency,
                difference: row.difference,
                left: row.left_records.0,
                right: row.right_records.0,
                reasons: row.reasons.0,
            })
            .collect())
    }

    /// Exceptions after `after`, of one kind or all, by kind, side and row, at most `limit`.
    pub async fn exceptions(
        &self,
        job_id: JobId,
        kind: Option<&str>,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Vec<StoredException>, StoreError> {
        let columns =
            "SELECT ordinal, kind::text AS kind, side::text AS side, currency, amount, record, says,
                              candidates, candidates_found FROM exceptions";
        // Two statements, so that each is one range of one index.
        let filter = match kind {
            Some(_) => "WHERE job_id = $1 AND ordinal > $2 AND kind = $4::exception_kind",
            None => "WHERE job_id = $1 AND ordinal > $2 AND $4::text IS NULL",
        };
        let statement = format!("{columns} {filter} ORDER BY ordinal LIMIT $3");
        let rows: Vec<ExceptionRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(after.unwrap_or(-1))
            .bind(i64::from(limit))
            .bind(kind)
            .fetch_all(self.pool())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| StoredException {
                ordinal: row.ordinal,
                kind: row.kind,
                side: row.side,
                currency: row.currency,
                amount: row.amount,
                record: row.record.0,
                says: row.says,
                candidates: row.candidates.0,
                candidates_found: row.candidates_found,
            })
            .collect())
    }

    /// Rejected lines after `after`, left side first, at most `limit`.
    pub async fn rejected_lines(
        &self,
        job_id: JobId,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Vec<StoredRejectedLine>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT ordinal, side::text AS side, line, column_name, reason, excerpt
             FROM rejected_lines WHERE job_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
        )
        .bind(job_id)
        .bind(after.unwrap_or(-1))
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Deletes a finished reconciliation with all its results: one contiguous range of each table. `false`
    /// when there is no such job or it has not finished (cancel it first).
    pub async fn delete_reconciliation(&self, job_id: JobId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let deleted = sqlx::query(
            "DELETE FROM jobs WHERE id = $1 AND state IN ('completed', 'cancelled', 'dead')
               AND EXISTS (SELECT FROM reconciliations WHERE job_id = $1)",
        )
        .bind(job_id)
        .execute(&mut *tx)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(false);
        }
        for statement in [
            "DELETE FROM matches WHERE job_id = $1",
            "DELETE FROM exceptions WHERE job_id = $1",
            "DELETE FROM rejected_lines WHERE job_id = $1",
        ] {
            sqlx::query(statement).bind(job_id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
