//! Results as files: CSV and JSON lines written page by page while the client reads, a workbook put together on
//! disk first. None is ever held in memory as a whole.

pub(crate) mod pages;
pub(crate) mod text;
pub(crate) mod workbook;

use super::matches::PassNames;
use crate::problem::{Problem, ProblemDocument};
use crate::read::PathId;
use crate::state::Api;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use pages::{Kind, Pages};
use shared::ids::JobId;
use shared::store::StoreError;
use std::io;
use text::Format;

/// All matches as CSV.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/results.csv", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "A match of m left and n right records takes max(m, n) lines", body = String, content_type = "text/csv"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_matches(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::Matches, Format::Csv).await
}

/// All matches as JSON lines.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/results.jsonl", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "An object a line", body = String, content_type = "application/x-ndjson"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_matches_as_json_lines(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::Matches, Format::JsonLines).await
}

/// All exceptions as CSV.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/exceptions.csv", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "A line for each exception", body = String, content_type = "text/csv"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_exceptions(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::Exceptions, Format::Csv).await
}

/// All exceptions as JSON lines.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/exceptions.jsonl", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "An object a line", body = String, content_type = "application/x-ndjson"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_exceptions_as_json_lines(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::Exceptions, Format::JsonLines).await
}

/// All rejected lines as CSV.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/rejected-lines.csv", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "A line for each rejected line", body = String, content_type = "text/csv"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_rejected_lines(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::RejectedLines, Format::Csv).await
}

/// All rejected lines as JSON lines.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/rejected-lines.jsonl", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "An object a line", body = String, content_type = "application/x-ndjson"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_rejected_lines_as_json_lines(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    start(&api, id, Kind::RejectedLines, Format::JsonLines).await
}

/// What rows need to know of their run.
#[derive(Clone)]
struct RunNames {
    passes: PassNames,
    /// Its place in the chain.
    run: u32,
}

/// Why a download ends early. The client sees the connection break, so that half a file never passes for a whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("reading a page of results")]
    Store(#[from] StoreError),
    #[error("writing a page of results")]
    Write(#[from] io::Error),
}

async fn start(api: &Api, id: JobId, kind: Kind, format: Format) -> Result<Response, Problem> {
    let names = names_of(api, id).await?;
    let pages = Pages::new(api.store.clone(), id, kind);
    let name = format!("{}-{id}.{}", kind.file_name(), format.extension());
    Ok(answer(&name, format.content_type(), Body::from_stream(text::stream(pages, names, format))))
}

/// Of a completed reconciliation.
async fn names_of(api: &Api, id: JobId) -> Result<RunNames, Problem> {
    let (reconciliation, _) = api.completed(id).await?;
    Ok(RunNames {
        passes: PassNames::of(&reconciliation.rules),
        run: reconciliation.chain_position.unsigned_abs(),
    })
}

fn answer(name: &str, content_type: &str, body: Body) -> Response {
    let headers: [(HeaderName, String); 2] = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, body).into_response()
}
