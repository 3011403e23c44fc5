//! What there is to review, with a text to look for.

use super::lists::{EXCEPTION_COLUMNS, REVIEW_COLUMNS, ReviewedExceptionRow, ReviewedMatchRow};
use super::{
    ExceptionCursor, ExceptionFilter, ExceptionOrder, MatchFilter, ReviewedException, ReviewedMatch,
};
use crate::ids::JobId;
use crate::store::results::FOUND_COLUMNS;
use crate::store::text::{Looked, TEXT_WINDOW, end_of_window, push_match_has};
use crate::store::{Store, StoreError};
use sqlx::QueryBuilder;

impl Store {
    /// Exceptions after `after` that fit, at most `limit`. With what the order does not find by itself (a text; days where
    /// amounts are the order, and amounts where days are): those that fit that, too, of the next [`TEXT_WINDOW`].
    pub async fn search_exceptions(
        &self,
        job_id: JobId,
        filter: &ExceptionFilter,
        order: ExceptionOrder,
        after: Option<ExceptionCursor>,
        limit: u32,
    ) -> Result<Looked<ReviewedException, ExceptionCursor>, StoreError> {
        let cursor = |item: &ReviewedException| ExceptionCursor::of(item, order);
        let (found, rest) = filter.split(order);
        if rest == ExceptionFilter::default() {
            let items = self.review_exceptions(job_id, filter, order, after, limit.saturating_add(1)).await?;
            return Ok(Looked::of(items, limit, cursor, None));
        }
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(Looked::none()) };
        let key = order.key();
        let mut query = QueryBuilder::new(format!(
            "SELECT * FROM (SELECT {EXCEPTION_COLUMNS}, {key} AS key FROM exceptions"
        ));
        found.push(&mut query, job_id);
        order.push(&mut query, after);
        query.push(" LIMIT ").push_bind(i64::from(TEXT_WINDOW)).push(") AS looked_at WHERE true");
        rest.push_rest(&mut query);
        query.push(match order {
            ExceptionOrder::Amount => " ORDER BY key DESC, ordinal LIMIT ",
            ExceptionOrder::Found | ExceptionOrder::Day => " ORDER BY key, ordinal LIMIT ",
        });
        query.push_bind(i64::from(limit) + 1);
        let rows: Vec<ReviewedExceptionRow> = query.build_query_as().fetch_all(pool).await?;
        let mut window = QueryBuilder::new(format!("SELECT ordinal, {key} FROM exceptions"));
        found.push(&mut window, job_id);
        order.push(&mut window, after);
        let end: Option<(i32, i64)> = end_of_window(pool, window).await?;
        let end = end.map(|(ordinal, key)| ExceptionCursor { ordinal, key });
        Ok(Looked::of(rows.into_iter().map(Into::into).collect(), limit, cursor, end))
    }

    /// The same of matches, best first.
    pub async fn search_reviewed_matches(
        &self,
        job_id: JobId,
        filter: &MatchFilter,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Looked<ReviewedMatch, i32>, StoreError> {
        let cursor = |item: &ReviewedMatch| item.found.ordinal;
        let Some(text) = &filter.text else {
            let items = self.review_matches(job_id, filter, after, limit.saturating_add(1)).await?;
            return Ok(Looked::of(items, limit, cursor, None));
        };
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(Looked::none()) };
        let others = MatchFilter { text: None, ..filter.clone() };
        let mut query = QueryBuilder::new(format!(
            "SELECT * FROM (SELECT {FOUND_COLUMNS}, {REVIEW_COLUMNS}, left_records, right_records, left_packed,
                                   right_packed FROM matches"
        ));
        others.push(&mut query, job_id);
        query.push(" AND ordinal > ").push_bind(after.unwrap_or(-1));
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(TEXT_WINDOW));
        query.push(") AS looked_at WHERE ");
        push_match_has(&mut query, text);
        query.push(" ORDER BY ordinal LIMIT ").push_bind(i64::from(limit) + 1);
        let rows: Vec<ReviewedMatchRow> = query.build_query_as().fetch_all(pool).await?;
        let mut window = QueryBuilder::new("SELECT ordinal FROM matches");
        others.push(&mut window, job_id);
        window.push(" AND ordinal > ").push_bind(after.unwrap_or(-1)).push(" ORDER BY ordinal");
        let end: Option<(i32,)> = end_of_window(pool, window).await?;
        let end = end.map(|(ordinal,)| ordinal);
        Ok(Looked::of(rows.into_iter().map(Into::into).collect(), limit, cursor, end))
    }
}
