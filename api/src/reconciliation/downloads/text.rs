//! CSV and JSON lines, written page by page.

use super::pages::{Page, Pages, each_exception, each_match, rejected_line};
use super::{Broken, RunNames};
use crate::reconciliation::records::side;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use sources::export::{ExceptionsCsv, Header, JsonLines, MatchesCsv, RejectedLinesCsv};
use std::io;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::JsonLines => "jsonl",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::JsonLines => "application/x-ndjson",
        }
    }
}

/// The file in pieces. The next page is asked for only once the client has taken the one before.
pub(super) fn stream(
    pages: Pages,
    names: RunNames,
    format: Format,
) -> impl Stream<Item = Result<Bytes, Broken>> {
    unfold((pages, Header::Written, false), move |(mut pages, header, is_broken)| {
        let names = names.clone();
        async move {
            let page = if is_broken { None } else { pages.next().await }?;
            let text = page.and_then(|page| Ok(render(&page, &names, format, header)?.into()));
            if let Err(error) = &text {
                tracing::error!(job_id = %pages.id, error = shared::chain(error), "a download broke off");
            }
            let is_broken = text.is_err();
            Some((text, (pages, Header::Omitted, is_broken)))
        }
    })
}

fn render(page: &Page, names: &RunNames, format: Format, header: Header) -> io::Result<Vec<u8>> {
    match (page, format) {
        (Page::Matches(rows), Format::Csv) => {
            let mut csv = MatchesCsv::new(vec![], header)?;
            each_match(rows, names, |row| csv.write(row))?;
            csv.finish()
        }
        (Page::Exceptions(rows), Format::Csv) => {
            let mut csv = ExceptionsCsv::new(vec![], header)?;
            each_exception(rows, names, |row| csv.write(row))?;
            csv.finish()
        }
        (Page::RejectedLines(rows), Format::Csv) => {
            let mut csv = RejectedLinesCsv::new(vec![], header)?;
            rows.iter().try_for_each(|row| csv.write(side(&row.side), &rejected_line(row)))?;
            csv.finish()
        }
        (page, Format::JsonLines) => {
            let mut lines = JsonLines::new(vec![]);
            match page {
                Page::Matches(rows) => each_match(rows, names, |row| lines.write_match(row))?,
                Page::Exceptions(rows) => each_exception(rows, names, |row| lines.write_exception(row))?,
                Page::RejectedLines(rows) => rows
                    .iter()
                    .try_for_each(|row| lines.write_rejected_line(side(&row.side), &rejected_line(row)))?,
            }
            lines.finish()
        }
    }
}
