//! Pages of what there is to review.

use super::answers::{HandMatchAnswer, HandMatchStateWord, ReviewedExceptionAnswer, ReviewedMatchAnswer};
use super::filters::{ExceptionWords, MatchWords};
use super::ordinal;
use crate::caller::Caller;
use crate::page::{self, Cursor, Page};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::reconciliation::{PassNames, address};
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use shared::ids::JobId;
use shared::store::review::{ExceptionCursor, ExceptionOrder, RecordPlace};
use utoipa::{IntoParams, ToSchema};

/// `found` unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExceptionOrder)]
pub(crate) enum OrderWord {
    /// By kind, side and line; released records last.
    Found,
    /// Largest amount first, whatever its sign.
    Amount,
    /// Oldest day first.
    Day,
}

/// Where a page of exceptions ended. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueCursor(ExceptionCursor);

impl std::fmt::Display for QueueCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "q{:08x}{:016x}", self.0.ordinal, self.0.key)
    }
}

impl QueueCursor {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || "must be taken from the `next` of a page".to_owned();
        let hex = text.strip_prefix('q').filter(|hex| hex.len() == 24).ok_or_else(wrong)?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let ordinal = u32::from_str_radix(&hex[..8], 16).ok().and_then(|n| i32::try_from(n).ok());
        let key = u64::from_str_radix(&hex[8..], 16).ok().and_then(|n| i64::try_from(n).ok());
        let (ordinal, key) = ordinal.zip(key).ok_or_else(wrong)?;
        Ok(Self(ExceptionCursor { ordinal, key }))
    }
}

/// Which exceptions, in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueuePage {
    #[param(inline)]
    order: Option<OrderWord>,
    /// From the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<QueueCursor>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

pub(crate) struct ExceptionQueue {
    words: ExceptionWords,
    page: QueuePage,
}

impl ReadQuery for ExceptionQueue {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let words = ExceptionWords::read(parameters);
        let order = parameters.optional("order", Parameters::choice);
        let after = parameters.optional("after", QueueCursor::read);
        Some(Self { words, page: QueuePage { order, after, limit: page::limit(parameters) } })
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NextPage {
    #[param(inline)]
    order: Option<OrderWord>,
    /// The `cursor` of the item before.
    #[param(value_type = Option<String>)]
    after: Option<QueueCursor>,
}

pub(crate) struct NextException {
    words: ExceptionWords,
    page: NextPage,
}

impl ReadQuery for NextException {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let words = ExceptionWords::read(parameters);
        let order = parameters.optional("order", Parameters::choice);
        let after = parameters.optional("after", QueueCursor::read);
        Some(Self { words, page: NextPage { order, after } })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReviewedExceptionPage {
    items: Vec<ReviewedExceptionAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

fn order(word: Option<OrderWord>) -> (ExceptionOrder, Option<String>) {
    match word {
        None => (ExceptionOrder::Found, None),
        Some(OrderWord::Found) => (ExceptionOrder::Found, Some("found".into())),
        Some(OrderWord::Amount) => (ExceptionOrder::Amount, Some("amount".into())),
        Some(OrderWord::Day) => (ExceptionOrder::Day, Some("day".into())),
    }
}

/// Exceptions as they stand after review. Without a `state`, all of them.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/exceptions", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), ExceptionWords, QueuePage),
    responses(
        (status = 200, description = "A page of exceptions", body = ReviewedExceptionPage),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_review_exceptions(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(ExceptionQueue { words, page: query }): Query<ExceptionQueue>,
) -> Result<Json<ReviewedExceptionPage>, Problem> {
    api.completed(id).await?;
    let filter = words.filter(&caller, api.clock.now().date_naive())?;
    let (order, order_word) = order(query.order);
    let after = query.after.map(|cursor| cursor.0);
    let found = api.store.search_exceptions(id, &filter, order, after, query.limit).await?;
    let mut kept = words.kept();
    kept.extend([("order", order_word), ("limit", Some(query.limit.to_string()))]);
    let path = format!("{}/review/exceptions", address(id));
    let next = found.resume_after.map(|after| page::address_after(&path, &kept, QueueCursor(after)));
    Ok(Json(ReviewedExceptionPage { items: found.items.into_iter().map(Into::into).collect(), next }))
}

/// The next one to look at, and where to go on behind it.
#[derive(Serialize, ToSchema)]
#[schema(as = NextException)]
pub(crate) struct NextExceptionAnswer {
    /// Null at the end; with a `text`, also where the next 20,000 do not have it and `cursor` says where to go on.
    item: Option<ReviewedExceptionAnswer>,
    /// `after` of the one behind it.
    cursor: Option<String>,
}

/// The next exception that fits, open unless another `state` is asked for: for going through them one by one.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/exceptions/next", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), ExceptionWords, NextPage),
    responses(
        (status = 200, description = "The next one, if any", body = NextExceptionAnswer),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn next_review_exception(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(NextException { words, page }): Query<NextException>,
) -> Result<Json<NextExceptionAnswer>, Problem> {
    api.completed(id).await?;
    let filter = words.or_open().filter(&caller, api.clock.now().date_naive())?;
    let after = page.after.map(|cursor| cursor.0);
    let (order, _) = order(page.order);
    let mut looked = api.store.search_exceptions(id, &filter, order, after, 1).await?;
    let found = looked.items.pop();
    let cursor = found.as_ref().map(|item| ExceptionCursor::of(item, order)).or(looked.resume_after);
    let cursor = cursor.map(|cursor| QueueCursor(cursor).to_string());
    Ok(Json(NextExceptionAnswer { item: found.map(Into::into), cursor }))
}

/// Where a candidate's record is now.
#[derive(Serialize, ToSchema)]
#[schema(as = CandidatePlace)]
pub(crate) struct PlaceAnswer {
    /// Of the candidate, from 0, and of the record within it.
    candidate: usize,
    record: usize,
    /// The exception that the record is; null: it is in a match.
    number: Option<i32>,
    /// Of that exception.
    state: Option<super::answers::ExceptionStateWord>,
    version: Option<i32>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewedExceptionDetail)]
pub(crate) struct DetailAnswer {
    item: ReviewedExceptionAnswer,
    /// Of every record of every candidate.
    places: Vec<PlaceAnswer>,
}

/// One exception with its candidates, their scores field by field, and where their records are now.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/exceptions/{number}", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), ("number" = u32, Path, minimum = 1)),
    responses((status = 200, description = "The exception", body = DetailAnswer))
)]
pub(crate) async fn show_review_exception(
    State(api): State<Api>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Json<DetailAnswer>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::not_found())?;
    let found = api.store.review_exception(id, ordinal(&number)?).await?.ok_or_else(Problem::not_found)?;
    let candidates = &found.found.candidates;
    let records: Vec<(usize, usize, String, u32)> = candidates
        .iter()
        .enumerate()
        .flat_map(|(c, candidate)| {
            let row = move |(r, record): (usize, &shared::store::results::StoredRecord)| {
                (c, r, candidate.side.clone(), record.row)
            };
            candidate.records.iter().enumerate().map(row)
        })
        .collect();
    let asked: Vec<(String, u32)> = records.iter().map(|(_, _, side, row)| (side.clone(), *row)).collect();
    let places = api.store.places_of_records(id, &asked).await?;
    let place = |(candidate, record, side, row): (usize, usize, String, u32)| {
        let place: Option<&RecordPlace> =
            places.iter().find(|p| p.side == side && i64::from(p.row) == i64::from(row));
        PlaceAnswer {
            candidate,
            record,
            number: place.map(|place| place.ordinal + 1),
            state: place.map(|place| place.state.into()),
            version: place.map(|place| place.version),
        }
    };
    let places = records.into_iter().map(place).collect();
    Ok(Json(DetailAnswer { item: found.into(), places }))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MatchPageQuery {
    /// From the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

pub(crate) struct MatchQueue {
    words: MatchWords,
    page: MatchPageQuery,
}

impl ReadQuery for MatchQueue {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let words = MatchWords::read(parameters);
        let after = parameters.optional("after", Cursor::read);
        Some(Self { words, page: MatchPageQuery { after, limit: page::limit(parameters) } })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ReviewedMatchPage {
    /// Best first.
    items: Vec<ReviewedMatchAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Matches as they stand after review, best first.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/matches", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), MatchWords, MatchPageQuery),
    responses(
        (status = 200, description = "A page of matches", body = ReviewedMatchPage),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_review_matches(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(MatchQueue { words, page: query }): Query<MatchQueue>,
) -> Result<Json<ReviewedMatchPage>, Problem> {
    let (run, _) = api.completed(id).await?;
    let passes = PassNames::of(&run.rules);
    let filter = words.filter(&caller, &passes)?;
    let after = query.after.map(|cursor| cursor.0);
    let found = api.store.search_reviewed_matches(id, &filter, after, query.limit).await?;
    let mut kept = words.kept();
    kept.push(("limit", Some(query.limit.to_string())));
    let path = format!("{}/review/matches", address(id));
    let next = found.resume_after.map(|after| page::address_after(&path, &kept, Cursor(after)));
    let items = found.items.into_iter().map(|item| ReviewedMatchAnswer::new(item, &passes)).collect();
    Ok(Json(ReviewedMatchPage { items, next }))
}

/// One match.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/matches/{number}", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), ("number" = u32, Path, minimum = 1)),
    responses((status = 200, description = "The match", body = ReviewedMatchAnswer))
)]
pub(crate) async fn show_review_match(
    State(api): State<Api>,
    Path((id, number)): Path<(String, String)>,
) -> Result<Json<ReviewedMatchAnswer>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::not_found())?;
    let run = api.store.reconciliation(id).await?.ok_or_else(Problem::not_found)?;
    let found = api.store.review_match(id, ordinal(&number)?).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(ReviewedMatchAnswer::new(found, &PassNames::of(&run.rules))))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HandMatchList {
    state: Option<HandMatchStateWord>,
    /// From the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for HandMatchList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let state = parameters.optional("state", Parameters::choice);
        let after = parameters.optional("after", Cursor::read);
        Some(Self { state, after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct HandMatchPage {
    /// In the order they were made.
    items: Vec<HandMatchAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Matches that people made.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/hand-matches", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), HandMatchList),
    responses((status = 200, description = "A page of matches", body = HandMatchPage))
)]
pub(crate) async fn list_hand_matches(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    Query(query): Query<HandMatchList>,
) -> Result<Json<HandMatchPage>, Problem> {
    let state = query.state.map(shared::store::review::HandMatchState::from);
    let after = query.after.map(|cursor| cursor.0);
    let found = api.store.hand_matches(id, state, after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept =
        [("state", state.map(|state| state.as_str().to_owned())), ("limit", Some(query.limit.to_string()))];
    let next = page.next(&format!("{}/review/hand-matches", address(id)), &kept, |last| Cursor(last.ordinal));
    Ok(Json(HandMatchPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_nothing_else_does() {
        for (ordinal, key) in [(0, 0), (7, 1250), (i32::MAX, i64::MAX)] {
            let cursor = QueueCursor(ExceptionCursor { ordinal, key });
            assert_eq!(QueueCursor::read(&cursor.to_string()), Ok(cursor));
        }
        for bad in ["", "q", "q0", "o00000001", "qffffffff0000000000000000", "q00000000ffffffffffffffff"] {
            assert!(QueueCursor::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<HandMatchList>();
    }
}
