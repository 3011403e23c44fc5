//! Looking for a text in results, as they were found.

use super::read::{ExceptionRow, MatchRow};
use super::{FOUND_COLUMNS, StoredException, StoredMatch};
use crate::ids::JobId;
use crate::store::text::{Looked, TEXT_WINDOW, end_of_window, push_match_has, push_record_has};
use crate::store::{Store, StoreError};
use sqlx::QueryBuilder;

impl Store {
    /// Matches after `after` with at least `confidence_min` millionths in which a record has the text, best first, at
    /// most `limit`, of the next [`TEXT_WINDOW`]: one range of the primary key.
    pub async fn search_matches(
        &self,
        job_id: JobId,
        text: &str,
        after: Option<i32>,
        confidence_min: i32,
        limit: u32,
    ) -> Result<Looked<StoredMatch, i32>, StoreError> {
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(Looked::none()) };
        let mut query = QueryBuilder::new(format!(
            "SELECT * FROM (
                 SELECT {FOUND_COLUMNS}, left_records, right_records, left_packed, right_packed
                 FROM matches WHERE job_id = "
        ));
        query.push_bind(job_id).push(" AND ordinal > ").push_bind(after.unwrap_or(-1));
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(TEXT_WINDOW));
        query.push(") AS looked_at WHERE confidence >= ").push_bind(confidence_min).push(" AND ");
        push_match_has(&mut query, text);
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(limit) + 1);
        let rows: Vec<MatchRow> = query.build_query_as().fetch_all(pool).await?;
        let mut window = QueryBuilder::new("SELECT ordinal, confidence FROM matches WHERE job_id = ");
        window
            .push_bind(job_id)
            .push(" AND ordinal > ")
            .push_bind(after.unwrap_or(-1))
            .push(" ORDER BY ordinal");
        let end: Option<(i32, i32)> = end_of_window(pool, window).await?;
        // Matches below the minimum are all behind those above it.
        let end = end.filter(|(_, confidence)| *confidence >= confidence_min).map(|(ordinal, _)| ordinal);
        let found: Vec<StoredMatch> = rows.into_iter().map(Into::into).collect();
        Ok(Looked::of(found, limit, |last| last.ordinal, end))
    }

    /// Exceptions after `after` as they were found, of one kind or all, whose record has the text, by kind, side and
    /// row, at most `limit`, of the next [`TEXT_WINDOW`] of that kind.
    pub async fn search_found_exceptions(
        &self,
        job_id: JobId,
        text: &str,
        kind: Option<&str>,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Looked<StoredException, i32>, StoreError> {
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(Looked::none()) };
        let within = |query: &mut QueryBuilder<sqlx::Postgres>| {
            query.push(" FROM exceptions WHERE job_id = ").push_bind(job_id);
            query.push(" AND ordinal > ").push_bind(after.unwrap_or(-1)).push(" AND released_from IS NULL");
            if let Some(kind) = kind {
                query.push(" AND kind = ").push_bind(kind.to_owned()).push("::exception_kind");
            }
            query.push(" ORDER BY ordinal");
        };
        let mut query = QueryBuilder::new(
            "SELECT * FROM (SELECT ordinal, kind::text AS kind, side::text AS side, currency, amount, record, says,
                                   candidates, candidates_found",
        );
        within(&mut query);
        query.push(" LIMIT ").push_bind(i64::from(TEXT_WINDOW)).push(") AS looked_at WHERE ");
        push_record_has(&mut query, text);
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(limit) + 1);
        let rows: Vec<ExceptionRow> = query.build_query_as().fetch_all(pool).await?;
        let mut window = QueryBuilder::new("SELECT ordinal");
        within(&mut window);
        let end: Option<(i32,)> = end_of_window(pool, window).await?;
        let found: Vec<StoredException> = rows.into_iter().map(Into::into).collect();
        Ok(Looked::of(found, limit, |last| last.ordinal, end.map(|(ordinal,)| ordinal)))
    }
}
