//! Pages of lines that could not be read as records.

use super::address;
use crate::caller::Caller;
use crate::page::{self, Cursor, Page};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::ids::JobId;
use shared::store::results::StoredRejectedLine;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RejectedLineList {
    /// From the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for RejectedLineList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Cursor::read);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

/// A line that gave no record, for the person who can repair it.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectedLine)]
pub(crate) struct RejectedLineAnswer {
    /// `left` or `right`.
    side: String,
    /// Line (CSV) or element (JSON) of the file, from 1.
    line: i64,
    /// The file's column, when one cell is to blame.
    column: Option<String>,
    reason: String,
    /// How the line begins.
    excerpt: String,
}

impl From<StoredRejectedLine> for RejectedLineAnswer {
    fn from(line: StoredRejectedLine) -> Self {
        Self {
            side: line.side,
            line: line.line,
            column: line.column_name,
            reason: line.reason,
            excerpt: line.excerpt,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RejectedLinePage {
    /// Left side first, in the order of the file.
    items: Vec<RejectedLineAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Lines of both files that could not be read as records.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/rejected-lines", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path), RejectedLineList),
    responses(
        (status = 200, description = "A page of rejected lines", body = RejectedLinePage),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_rejected_lines(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(query): Query<RejectedLineList>,
) -> Result<Json<RejectedLinePage>, Problem> {
    let (store, ..) = api.reading_results(&caller, id).await?;
    let found = store.rejected_lines(id, query.after.map(|cursor| cursor.0), query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("limit", Some(query.limit.to_string()))];
    let next = page.next(&format!("{}/rejected-lines", address(id)), &kept, |last| Cursor(last.ordinal));
    Ok(Json(RejectedLinePage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::RejectedLineList>();
    }
}
