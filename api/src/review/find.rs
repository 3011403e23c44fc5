//! Open records of one side by how their id or reference begins: for putting records together by hand.

use super::answers::ReviewedExceptionAnswer;
use super::filters::SideWord;
use crate::page;
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::ids::JobId;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FindRecords {
    #[param(inline)]
    side: SideWord,
    /// In any letter case.
    #[param(min_length = 1, max_length = 200)]
    begins: String,
    /// Of those found by their id, and as many of those found by their reference.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for FindRecords {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let side = parameters.required("side", Parameters::choice);
        let begins = parameters.required("begins", page::text);
        let limit = page::limit(parameters);
        Some(Self { side: side?, begins: begins?, limit })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OpenRecords {
    /// In the order of their ids, then in that of their references.
    items: Vec<ReviewedExceptionAnswer>,
}

/// Open records of one side whose id or reference begins with a text. An index finds them, wherever in the run they are: what
/// is further inside a text, the list of exceptions looks for.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/open-records", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), FindRecords),
    responses(
        (status = 200, description = "The records, as the exceptions that they are", body = OpenRecords),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn find_open_records(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    Query(FindRecords { side, begins, limit }): Query<FindRecords>,
) -> Result<Json<OpenRecords>, Problem> {
    api.completed(id).await?;
    let found = api.store.open_records_beginning(id, side.as_str(), &begins, limit).await?;
    Ok(Json(OpenRecords { items: found.into_iter().map(Into::into).collect() }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::FindRecords>();
    }
}
