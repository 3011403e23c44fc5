//! Results as CSV files: written page by page while the client reads, never held as a whole.

use super::matches::{PassNames, confidence};
use crate::caller::Caller;
use crate::problem::{Problem, ProblemDocument};
use crate::read::PathId;
use crate::state::Api;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use matching::{Currency, ExceptionKind, Reason, Side, Tier};
use shared::ids::JobId;
use shared::store::projects::ProjectRole;
use shared::store::results::{StoredException, StoredForeign, StoredMatch, StoredRecord, StoredRejectedLine};
use shared::store::{Store, StoreError};
use sources::RejectedLine;
use sources::export::{
    CandidateCells, ExceptionRow, ExceptionsCsv, Foreign, Header, MatchRow, MatchesCsv, RecordCells,
    RejectedLinesCsv,
};
use std::io;

/// Rows read at once: a few hundred kilobytes.
const PAGE_ROWS: u32 = 500;

/// All matches as CSV.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/results.csv", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "A match of m left and n right records takes max(m, n) lines",
         body = String, content_type = "text/csv"),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(super) async fn download_matches(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    api.access_reconciliation(&caller, id, ProjectRole::Viewer).await?;
    let (reconciliation, _) = api.completed(id).await?;
    Ok(Download::start(api.store.clone(), id, What::Matches(PassNames::of(&reconciliation.rules))))
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
pub(super) async fn download_exceptions(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    api.access_reconciliation(&caller, id, ProjectRole::Viewer).await?;
    api.completed(id).await?;
    Ok(Download::start(api.store.clone(), id, What::Exceptions))
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
pub(super) async fn download_rejected_lines(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    api.access_reconciliation(&caller, id, ProjectRole::Viewer).await?;
    api.completed(id).await?;
    Ok(Download::start(api.store.clone(), id, What::RejectedLines))
}

/// A file under way.
struct Download {
    store: Store,
    id: JobId,
    what: What,
    next: Next,
}

enum What {
    Matches(PassNames),
    Exceptions,
    RejectedLines,
}

/// Where the next page begins.
#[derive(Clone, Copy)]
enum Next {
    First,
    After(i32),
    Nothing,
}

/// Why a download ends early. The client sees the connection break, so that half a file never passes for a whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("reading a page of results")]
    Store(#[from] StoreError),
    #[error("writing a page of results as CSV")]
    Write(#[from] io::Error),
}

impl Download {
    fn start(store: Store, id: JobId, what: What) -> Response {
        let name = match what {
            What::Matches(_) => "matches",
            What::Exceptions => "exceptions",
            What::RejectedLines => "rejected-lines",
        };
        let headers: [(HeaderName, String); 2] = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".into()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-{id}.csv\"")),
        ];
        // Asked for the next page only once the client has taken the one before.
        let pages = unfold(Self { store, id, what, next: Next::First }, |mut download| async move {
            let page = download.next_page().await?;
            Some((page, download))
        });
        (headers, Body::from_stream(pages)).into_response()
    }

    async fn next_page(&mut self) -> Option<Result<Bytes, Broken>> {
        let after = match self.next {
            Next::First => None,
            Next::After(ordinal) => Some(ordinal),
            Next::Nothing => return None,
        };
        let (page, next) = match self.read_page(after).await {
            Ok((csv, next)) => (Ok(csv.into()), next),
            Err(error) => {
                tracing::error!(job_id = %self.id, error = shared::chain(&error), "a download broke off");
                (Err(error), Next::Nothing)
            }
        };
        self.next = next;
        Some(page)
    }

    async fn read_page(&self, after: Option<i32>) -> Result<(Vec<u8>, Next), Broken> {
        let header = if after.is_none() { Header::Written } else { Header::Omitted };
        match &self.what {
            What::Matches(passes) => {
                let page = self.store.matches(self.id, after, 0, PAGE_ROWS).await?;
                Ok((write_matches(&page, passes, header)?, Next::behind(&page, |row| row.ordinal)))
            }
            What::Exceptions => {
                let page = self.store.exceptions(self.id, None, after, PAGE_ROWS).await?;
                Ok((write_exceptions(&page, header)?, Next::behind(&page, |row| row.ordinal)))
            }
            What::RejectedLines => {
                let page = self.store.rejected_lines(self.id, after, PAGE_ROWS).await?;
                Ok((write_rejected_lines(&page, header)?, Next::behind(&page, |row| row.ordinal)))
            }
        }
    }
}

impl Next {
    fn behind<T>(page: &[T], ordinal: impl FnOnce(&T) -> i32) -> Self {
        match page.last() {
            Some(last) if page.len() == PAGE_ROWS as usize => Self::After(ordinal(last)),
            _ => Self::Nothing,
        }
    }
}

fn write_matches(page: &[StoredMatch], passes: &PassNames, header: Header) -> io::Result<Vec<u8>> {
    let mut csv = MatchesCsv::new(vec![], header)?;
    for found in page {
        let reasons: Vec<Reason> = found
            .reasons
            .iter()
            .map(|r| Reason { field: r.field.clone(), says: r.says.clone(), weight: r.weight })
            .collect();
        csv.write(&MatchRow {
            number: found.ordinal.unsigned_abs() as u64 + 1,
            pass: passes.name(found.pass),
            tier: if found.tier == "suggested" { Tier::Suggested } else { Tier::Confirmed },
            confidence: confidence(found.confidence),
            currency: currency(&found.currency)?,
            left: found.left.iter().map(cells).collect::<io::Result<_>>()?,
            right: found.right.iter().map(cells).collect::<io::Result<_>>()?,
            difference: found.difference,
            reasons: &reasons,
        })?;
    }
    csv.finish()
}

fn write_exceptions(page: &[StoredException], header: Header) -> io::Result<Vec<u8>> {
    let mut csv = ExceptionsCsv::new(vec![], header)?;
    for found in page {
        let kind = ExceptionKind::ALL.into_iter().find(|kind| kind.as_str() == found.kind);
        csv.write(&ExceptionRow {
            kind: kind.ok_or_else(|| io::Error::other(format!("exception kind {:?}", found.kind)))?,
            side: side(&found.side),
            currency: currency(&found.currency)?,
            record: cells(&found.record)?,
            says: &found.says,
            candidates: found
                .candidates
                .iter()
                .map(|candidate| CandidateCells {
                    side: side(&candidate.side),
                    ids: candidate.records.iter().map(|record| record.id.as_str()).collect(),
                    confidence: matching::Confidence::from_f64(candidate.confidence),
                })
                .collect(),
            candidates_found: found.candidates_found.unsigned_abs(),
        })?;
    }
    csv.finish()
}

fn write_rejected_lines(page: &[StoredRejectedLine], header: Header) -> io::Result<Vec<u8>> {
    let mut csv = RejectedLinesCsv::new(vec![], header)?;
    for line in page {
        let row = RejectedLine {
            line: line.line.unsigned_abs(),
            column: line.column_name.clone(),
            reason: line.reason.clone(),
            excerpt: line.excerpt.clone(),
        };
        csv.write(side(&line.side), &row)?;
    }
    csv.finish()
}

fn cells(record: &StoredRecord) -> io::Result<RecordCells<'_>> {
    let foreign = |foreign: &StoredForeign| {
        Ok::<_, io::Error>(Foreign { currency: currency(&foreign.currency)?, converted: foreign.converted })
    };
    Ok(RecordCells {
        id: &record.id,
        line: record.line,
        date: record.date.to_epoch_days(),
        amount: record.amount,
        foreign: record.foreign.as_ref().map(foreign).transpose()?,
    })
}

fn side(name: &str) -> Side {
    if name == "right" { Side::Right } else { Side::Left }
}

fn currency(code: &str) -> io::Result<Currency> {
    Currency::parse(code).map_err(io::Error::other)
}
