//! Reading results page by page, and deleting them.

use super::packed::FOUND_COLUMNS;
use super::{StoredCandidate, StoredException, StoredMatch, StoredReason, StoredRecord, StoredRejectedLine};
use crate::ids::{JobId, ProjectId};
use crate::store::audit::Note;
use crate::store::job_ledger::book_removed;
use crate::store::{Store, StoreError};
use sqlx::types::Json;

/// What [`FOUND_COLUMNS`] selects.
#[derive(sqlx::FromRow)]
pub(in crate::store) struct MatchRow {
    ordinal: i32,
    confidence: i32,
    tier: String,
    pass: i16,
    currency: String,
    difference: i64,
    found_left: Json<Vec<StoredRecord>>,
    found_right: Json<Vec<StoredRecord>>,
    found_reasons: Json<Vec<StoredReason>>,
    open_side: Option<String>,
    open_amount: Option<i64>,
}

impl From<MatchRow> for StoredMatch {
    fn from(row: MatchRow) -> Self {
        StoredMatch {
            ordinal: row.ordinal,
            confidence: row.confidence,
            tier: row.tier,
            pass: row.pass,
            currency: row.currency,
            difference: row.difference,
            left: row.found_left.0,
            right: row.found_right.0,
            reasons: row.found_reasons.0,
            open_side: row.open_side,
            open_amount: row.open_amount,
        }
    }
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct ExceptionRow {
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

impl From<ExceptionRow> for StoredException {
    fn from(row: ExceptionRow) -> Self {
        StoredException {
            ordinal: row.ordinal,
            kind: row.kind,
            side: row.side,
            currency: row.currency,
            amount: row.amount,
            record: row.record.0,
            says: row.says,
            candidates: row.candidates.0,
            candidates_found: row.candidates_found,
        }
    }
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
        let statement = format!(
            "SELECT {FOUND_COLUMNS} FROM matches WHERE job_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3"
        );
        let rows: Vec<MatchRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(after.unwrap_or(-1))
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        Ok(rows.into_iter().take_while(|row| row.confidence >= confidence_min).map(Into::into).collect())
    }

    /// Exceptions after `after` as they were found, of one kind or all, by kind, side and row, at most `limit`.
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
            Some(_) => {
                "WHERE job_id = $1 AND ordinal > $2 AND kind = $4::exception_kind AND released_from IS NULL"
            }
            None => "WHERE job_id = $1 AND ordinal > $2 AND $4::text IS NULL AND released_from IS NULL",
        };
        let statement = format!("{columns} {filter} ORDER BY ordinal LIMIT $3");
        let pool = match kind {
            Some(_) => self.pool_for_run(job_id).await?,
            None => Some(self.pool()),
        };
        let Some(pool) = pool else { return Ok(vec![]) };
        let rows: Vec<ExceptionRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(after.unwrap_or(-1))
            .bind(i64::from(limit))
            .bind(kind)
            .fetch_all(pool)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
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
    /// when there is no such job, it has not finished (cancel it first), or another continues it (delete that
    /// one first: it stands on these open items and matches).
    pub async fn delete_reconciliation(&self, job_id: JobId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Against a submission that continues it just now, which takes the same lock.
        sqlx::query("SELECT FROM reconciliations WHERE job_id = $1 FOR UPDATE")
            .bind(job_id)
            .execute(&mut *tx)
            .await?;
        let deleted: Option<ProjectId> = sqlx::query_scalar(
            "DELETE FROM jobs WHERE id = $1 AND state IN ('completed', 'cancelled', 'dead')
               AND EXISTS (SELECT FROM reconciliations WHERE job_id = $1)
               AND NOT EXISTS (SELECT FROM reconciliations WHERE continues = $1)
             RETURNING project_id",
        )
        .bind(job_id)
        .fetch_optional(&mut *tx)
        .await?
        .flatten();
        let Some(project_id) = deleted else { return Ok(false) };
        book_removed(&mut tx, 1).await?;
        for statement in [
            "DELETE FROM matches WHERE job_id = $1",
            "DELETE FROM exceptions WHERE job_id = $1",
            "DELETE FROM rejected_lines WHERE job_id = $1",
            "DELETE FROM matched_records WHERE job_id = $1",
        ] {
            sqlx::query(statement).bind(job_id).execute(&mut *tx).await?;
        }
        Note::of(project_id, "reconciliation", job_id).commit(tx).await?;
        Ok(true)
    }
}
