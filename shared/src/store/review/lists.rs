//! Pages of what there is to review.

use super::{
    ExceptionCursor, ExceptionFilter, ExceptionOrder, ExceptionState, HandMatchState, MatchFilter, MatchState,
};
use crate::ids::{DecisionId, JobId, UserId};
use crate::store::results::{
    ExceptionRow, FOUND_COLUMNS, MatchRow, StoredException, StoredMatch, StoredRecord,
};
use crate::store::{Store, StoreError};
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::QueryBuilder;
use sqlx::types::Json;

/// An exception, and what became of it.
#[derive(Debug, Clone)]
pub struct ReviewedException {
    pub found: StoredException,
    pub state: ExceptionState,
    pub review: ReviewColumns,
    /// The match by hand it is in.
    pub hand_match: Option<i32>,
    /// The match its record was in.
    pub released_from: Option<i32>,
}

/// A match, and what became of it.
#[derive(Debug, Clone)]
pub struct ReviewedMatch {
    pub found: StoredMatch,
    pub state: MatchState,
    pub review: ReviewColumns,
}

/// What both have.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReviewColumns {
    pub version: i32,
    pub assignee: Option<UserId>,
    pub due_on: Option<NaiveDate>,
    pub reason_code: Option<String>,
    pub comments: i32,
    /// The decision that waits for a second person.
    pub pending: Option<DecisionId>,
}

#[derive(sqlx::FromRow)]
pub(super) struct ReviewedExceptionRow {
    #[sqlx(flatten)]
    found: ExceptionRow,
    state: ExceptionState,
    #[sqlx(flatten)]
    review: ReviewColumns,
    hand_match: Option<i32>,
    released_from: Option<i32>,
}

#[derive(sqlx::FromRow)]
pub(super) struct ReviewedMatchRow {
    #[sqlx(flatten)]
    found: MatchRow,
    state: MatchState,
    #[sqlx(flatten)]
    review: ReviewColumns,
}

/// A match that people made.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct HandMatch {
    pub ordinal: i32,
    pub state: HandMatchState,
    pub version: i32,
    pub currency: String,
    pub left_ordinals: Vec<i32>,
    pub right_ordinals: Vec<i32>,
    pub left_records: Json<Vec<StoredRecord>>,
    pub right_records: Json<Vec<StoredRecord>>,
    pub left_sum: i64,
    pub right_sum: i64,
    pub flip_sign: bool,
    pub difference: i64,
    pub reason_code: Option<String>,
    pub comments: i32,
    pub pending: Option<DecisionId>,
    pub made_at: DateTime<Utc>,
}

pub(super) const EXCEPTION_COLUMNS: &str = "ordinal, kind::text AS kind, side::text AS side, currency, amount, record, says,
    candidates, candidates_found, state, version, assignee, due_on, reason_code, comments, pending, hand_match,
    released_from";
/// With [`FOUND_COLUMNS`], all of a match.
pub(super) const REVIEW_COLUMNS: &str = "state, version, assignee, due_on, reason_code, comments, pending";

impl Store {
    /// Exceptions after `after` that fit, at most `limit`.
    pub async fn review_exceptions(
        &self,
        job_id: JobId,
        filter: &ExceptionFilter,
        order: ExceptionOrder,
        after: Option<ExceptionCursor>,
        limit: u32,
    ) -> Result<Vec<ReviewedException>, StoreError> {
        let mut query = QueryBuilder::new(format!("SELECT {EXCEPTION_COLUMNS} FROM exceptions"));
        filter.push(&mut query, job_id);
        order.push(&mut query, after);
        query.push(" LIMIT ").push_bind(i64::from(limit));
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(vec![]) };
        let rows: Vec<ReviewedExceptionRow> = query.build_query_as().fetch_all(pool).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    pub async fn review_exception(
        &self,
        job_id: JobId,
        ordinal: i32,
    ) -> Result<Option<ReviewedException>, StoreError> {
        let statement =
            format!("SELECT {EXCEPTION_COLUMNS} FROM exceptions WHERE job_id = $1 AND ordinal = $2");
        let row: Option<ReviewedExceptionRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(ordinal)
            .fetch_optional(self.pool())
            .await?;
        Ok(row.map(Into::into))
    }

    /// Matches after `after` that fit, best first, at most `limit`.
    pub async fn review_matches(
        &self,
        job_id: JobId,
        filter: &MatchFilter,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Vec<ReviewedMatch>, StoreError> {
        let mut query = QueryBuilder::new(format!("SELECT {FOUND_COLUMNS}, {REVIEW_COLUMNS} FROM matches"));
        filter.push(&mut query, job_id);
        if let Some(after) = after {
            query.push(" AND ordinal > ").push_bind(after);
        }
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(limit));
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(vec![]) };
        let rows: Vec<ReviewedMatchRow> = query.build_query_as().fetch_all(pool).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    pub async fn review_match(
        &self,
        job_id: JobId,
        ordinal: i32,
    ) -> Result<Option<ReviewedMatch>, StoreError> {
        let statement = format!(
            "SELECT {FOUND_COLUMNS}, {REVIEW_COLUMNS} FROM matches WHERE job_id = $1 AND ordinal = $2"
        );
        let row: Option<ReviewedMatchRow> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(ordinal)
            .fetch_optional(self.pool())
            .await?;
        Ok(row.map(Into::into))
    }

    /// Matches by hand after `after`, in one state or all, in the order they were made, at most `limit`.
    pub async fn hand_matches(
        &self,
        job_id: JobId,
        state: Option<HandMatchState>,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Vec<HandMatch>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT ordinal, state, version, currency, left_ordinals, right_ordinals, left_records, right_records,
                    left_sum, right_sum, flip_sign, difference, reason_code, comments, pending, made_at
             FROM hand_matches
             WHERE job_id = $1 AND ordinal > $2 AND ($3::hand_match_state IS NULL OR state = $3)
             ORDER BY ordinal LIMIT $4",
        )
        .bind(job_id)
        .bind(after.unwrap_or(-1))
        .bind(state)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }
}

impl From<ReviewedExceptionRow> for ReviewedException {
    fn from(row: ReviewedExceptionRow) -> Self {
        Self {
            found: row.found.into(),
            state: row.state,
            review: row.review,
            hand_match: row.hand_match,
            released_from: row.released_from,
        }
    }
}

impl From<ReviewedMatchRow> for ReviewedMatch {
    fn from(row: ReviewedMatchRow) -> Self {
        Self { found: row.found.into(), state: row.state, review: row.review }
    }
}

/// The exception that a record is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RecordPlace {
    pub side: String,
    pub row: i32,
    pub ordinal: i32,
    pub state: ExceptionState,
    pub version: i32,
}

impl Store {
    /// Which exceptions records are, by side and row; those in matches are absent.
    pub async fn places_of_records(
        &self,
        job_id: JobId,
        records: &[(String, u32)],
    ) -> Result<Vec<RecordPlace>, StoreError> {
        let (sides, rows): (Vec<String>, Vec<i32>) =
            records.iter().map(|(side, row)| (side.clone(), i32::try_from(*row).unwrap_or(-1))).unzip();
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(vec![]) };
        Ok(sqlx::query_as(
            "SELECT e.side::text AS side, asked.row, e.ordinal, e.state, e.version
             FROM (SELECT DISTINCT side, row FROM unnest($2::text[], $3::integer[]) AS u (side, row)) AS asked
             JOIN exceptions e ON e.job_id = $1 AND e.side = asked.side::record_side
              AND (e.record->>'row')::integer = asked.row AND e.state <> 'withdrawn'",
        )
        .bind(job_id)
        .bind(sides)
        .bind(rows)
        .fetch_all(pool)
        .await?)
    }
}
