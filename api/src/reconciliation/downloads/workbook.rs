//! All results as one Excel workbook: put together in temporary files, then sent from there.

use super::pages::{Kind, Page, Pages, each_exception, each_match, rejected_line};
use super::{Broken, RunNames, answer, names_of};
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::PathId;
use crate::reconciliation::records::side;
use crate::state::Api;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream::unfold;
use shared::ids::JobId;
use shared::store::Store;
use sources::export::ResultWorkbook;
use std::fs::File;
use std::io::{self, Seek};
use tokio::io::AsyncReadExt;

/// Lines of all sheets together. Spreadsheets open no more with any comfort, and the text files have no limit.
const LINES_MAX: i64 = 2_000_000;
const CHUNK_BYTES: usize = 64 << 10;

/// Matches, exceptions and rejected lines as one Excel workbook.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/results.xlsx", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "A sheet each", body = Vec<u8>,
         content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (status = 409, description = "It has not completed, or it has more than 2,000,000 records and lines",
         body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "Too many workbooks are being made", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn download_workbook(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Response, Problem> {
    let names = names_of(&api, id).await?;
    let (_, summary) = api.completed(id).await?;
    let lines = summary.left_records + summary.right_records + summary.left_rejected + summary.right_rejected;
    if lines > LINES_MAX {
        let detail = format!("A workbook has at most {LINES_MAX} lines; take the CSV or JSON lines instead");
        return Err(Problem::new(ProblemKind::Conflict, detail));
    }
    let _turn = api
        .workbooks
        .try_acquire()
        .map_err(|_| Problem::new(ProblemKind::Unavailable, "Other workbooks are being made just now"))?;
    let file = write(&api.store, id, &names).await;
    let file = file.map_err(|error| Problem::internal("writing a workbook", &error))?;
    let chunks = unfold(tokio::fs::File::from_std(file), |mut file| async move {
        let mut chunk = bytes::BytesMut::with_capacity(CHUNK_BYTES);
        match file.read_buf(&mut chunk).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(chunk.freeze()), file)),
            Err(error) => {
                tracing::error!(%error, "a download broke off");
                Some((Err(error), file))
            }
        }
    });
    let content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    Ok(answer(&format!("reconciliation-{id}.xlsx"), content_type, Body::from_stream(chunks)))
}

/// An unnamed file, from its beginning. Memory is that of one page: rows go to temporary files of their own.
async fn write(store: &Store, id: JobId, names: &RunNames) -> Result<File, Broken> {
    let mut book = blocking(ResultWorkbook::new).await?;
    for kind in [Kind::Matches, Kind::Exceptions, Kind::RejectedLines] {
        let mut pages = Pages::new(store.clone(), id, kind);
        while let Some(page) = pages.next().await {
            let (page, names) = (page?, names.clone());
            book = blocking(move || {
                match &page {
                    Page::Matches(rows) => each_match(rows, &names, |row| book.write_match(row))?,
                    Page::Exceptions(rows) => each_exception(rows, &names, |row| book.write_exception(row))?,
                    Page::RejectedLines(rows) => rows
                        .iter()
                        .try_for_each(|row| book.write_rejected_line(side(&row.side), &rejected_line(row)))?,
                }
                Ok(book)
            })
            .await?;
        }
    }
    let finish = || -> io::Result<File> {
        let mut file = book.finish(tempfile::tempfile()?)?;
        file.rewind()?;
        Ok(file)
    };
    Ok(blocking(finish).await?)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
