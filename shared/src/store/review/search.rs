//! What there is to review, with a text to look for.

use super::lists::{EXCEPTION_COLUMNS, MATCH_COLUMNS, ReviewedExceptionRow, ReviewedMatchRow};
use super::{
    ExceptionCursor, ExceptionFilter, ExceptionOrder, MatchFilter, ReviewedException, ReviewedMatch,
};
use crate::ids::JobId;
use crate::store::text::{Looked, TEXT_WINDOW, end_of_window, push_match_has, push_record_has};
use crate::store::{Store, StoreError};
use sqlx::QueryBuilder;

impl Store {
    /// Exceptions after `after` that fit, at most `limit`. With a text: those that have it, of the next [`TEXT_WINDOW`]
    /// that fit otherwise.
    pub async fn search_exceptions(
        &self,
        job_id: JobId,
        filter: &ExceptionFilter,
        order: ExceptionOrder,
        after: Option<ExceptionCursor>,
        limit: u32,
    ) -> Result<Looked<ReviewedException, ExceptionCursor>, StoreError> {
        let Some(text) = &filter.text else {
            let items = self.review_exceptions(job_id, filter, order, after, limit.saturating_add(1)).await?;
            return Ok(Looked::of(items, limit, ExceptionCursor::of, None));
        };
        let Some(pool) = self.pool_for_run(job_id).await? else { return Ok(Looked::none()) };
        let others = ExceptionFilter { text: None, ..filter.clone() };
        let mut query = QueryBuilder::new(format!(
            "SELECT * FROM (SELECT {EXCEPTION_COLUMNS}, abs(amount) AS size FROM exceptions"
        ));
        others.push(&mut query, job_id);
        order.push(&mut query, after);
        query.push(" LIMIT ").push_bind(i64::from(TEXT_WINDOW)).push(") AS looked_at WHERE ");
        push_record_has(&mut query, text);
        query.push(match order {
            ExceptionOrder::Found => " ORDER BY ordinal LIMIT ",
            ExceptionOrder::Amount => " ORDER BY size DESC, ordinal LIMIT ",
        });
        query.push_bind(i64::from(limit) + 1);
        let rows: Vec<ReviewedExceptionRow> = query.build_query_as().fetch_all(pool).await?;
        let mut window = QueryBuilder::new("SELECT ordinal, abs(amount) FROM exceptions");
        others.push(&mut window, job_id);
        order.push(&mut window, after);
        let end: Option<(i32, i64)> = end_of_window(pool, window).await?;
        let end = end.map(|(ordinal, amount)| ExceptionCursor { ordinal, amount });
        Ok(Looked::of(rows.into_iter().map(Into::into).collect(), limit, ExceptionCursor::of, end))
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
        let mut query = QueryBuilder::new(format!("SELECT * FROM (SELECT {MATCH_COLUMNS} FROM matches"));
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
