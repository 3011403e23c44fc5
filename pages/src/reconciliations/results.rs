//! Matches, exceptions and rejected lines, page by page, with their filters in the address; and all of them as files.

use super::compare::{self, Row, Weighted};
use super::show::Head;
use super::{Names, id_of};
use crate::answers::{Exception, Items, Match, Reconciliation, Record, RejectedLine, Summary};
use crate::ask::Refusal;
use crate::form::{Fields, refusal};
use crate::html::escape_query;
use crate::shell::{Shell, Visit};
use crate::words;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

const SHOWN: u32 = 50;

/// One side of a match in a line.
pub(crate) struct InShort {
    pub what: String,
    pub note: String,
    pub amount: String,
}

impl InShort {
    pub fn of(records: &[Record], total: &str, shell: &Shell) -> Self {
        let amount = shell.money(total);
        match records {
            [] => Self { what: "–".into(), note: String::new(), amount: String::new() },
            [one] => Self { what: describe(one), note: format!("{} · {}", one.date, one.id), amount },
            [first, .., last] => Self {
                what: format!("{} records", records.len()),
                note: format!("{} to {}", first.date.min(last.date), first.date.max(last.date)),
                amount,
            },
        }
    }
}

/// The words by which people know a record: the field that says most.
fn describe(record: &Record) -> String {
    let named = ["description", "counterparty", "reference", "text", "name"]
        .iter()
        .find_map(|name| record.fields.get(*name));
    let any = || record.fields.values().max_by_key(|value| value.len());
    named
        .filter(|text| !text.is_empty())
        .or_else(any)
        .filter(|text| !text.is_empty())
        .cloned()
        .unwrap_or_else(|| record.id.clone())
}

pub(crate) struct MatchShown {
    pub found: Match,
    pub left: InShort,
    pub right: InShort,
    pub rows: Vec<Row>,
    pub reasons: Vec<Weighted>,
    pub has_difference: bool,
}

#[derive(Template)]
#[template(path = "reconciliations/matches.html")]
pub(crate) struct MatchesPage {
    pub shell: Shell,
    pub head: Head,
    pub min_confidence: String,
    pub text: String,
    pub items: Vec<MatchShown>,
    pub next: Option<String>,
    pub is_first: bool,
}

pub(crate) struct CandidateShown {
    pub confidence: f64,
    pub in_short: InShort,
    pub rows: Vec<Row>,
    pub reasons: Vec<Weighted>,
}

pub(crate) struct ExceptionShown {
    pub found: Exception,
    pub title: &'static str,
    pub advice: &'static str,
    pub in_short: InShort,
    pub candidates: Vec<CandidateShown>,
}

#[derive(Template)]
#[template(path = "reconciliations/exceptions.html")]
pub(crate) struct ExceptionsPage {
    pub shell: Shell,
    pub head: Head,
    pub kind: String,
    pub text: String,
    /// Those that there are: name, title, count.
    pub kinds: Vec<(String, &'static str, i64)>,
    pub items: Vec<ExceptionShown>,
    pub next: Option<String>,
    pub is_first: bool,
}

#[derive(Template)]
#[template(path = "reconciliations/rejected.html")]
pub(crate) struct RejectedPage {
    pub shell: Shell,
    pub head: Head,
    pub items: Vec<RejectedLine>,
    pub next: Option<String>,
    pub is_first: bool,
}

/// The run and its summary; whoever asks too early is shown how far it is.
pub(crate) async fn finished(
    visit: &Visit,
    id: &str,
) -> Result<Result<(Reconciliation, Summary), Response>, Refusal> {
    let mut run: Reconciliation = visit.ask.get(&format!("/api/reconciliation/jobs/{id}")).await?;
    match run.summary.take() {
        Some(summary) => Ok(Ok((run, summary))),
        None => {
            Ok(Err(Redirect::to(&format!("{}/reconciliations/{id}", visit.shell.base())).into_response()))
        }
    }
}

/// The API's address for a page of a list, and our own for the next one.
fn addresses(
    base: &str,
    id: &str,
    api: &str,
    ours: &str,
    asked: &Fields,
    filters: &[&str],
) -> (String, String) {
    let mut kept = String::new();
    for name in filters {
        if let Some(value) = asked.given(name) {
            kept.push_str(&format!("&{name}={}", escape_query(value)));
        }
    }
    let after =
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default();
    let path = format!("/api/reconciliation/jobs/{id}/{api}?limit={SHOWN}{kept}{after}");
    (path, format!("{base}/reconciliations/{id}/{ours}?{}", kept.trim_start_matches('&')))
}

fn next_of<T>(page: &Items<T>, ours: &str) -> Option<String> {
    let join = if ours.ends_with('?') { "" } else { "&" };
    page.after().map(|after| format!("{ours}{join}after={after}"))
}

pub(super) async fn list_matches(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (id, asked) = (id_of(&names), Fields::parse(query.unwrap_or_default().as_bytes()));
    let (run, summary) = match finished(&visit, &id).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shell = visit.shell("reconciliations");
    let (path, ours) =
        addresses(&shell.base(), &id, "results", "matches", &asked, &["min_confidence", "text"]);
    let page: Items<Match> = visit.ask.get(&path).await?;
    Ok(visit.page(&MatchesPage {
        head: Head::new(&run, &summary, "matches"),
        min_confidence: asked.get("min_confidence").to_owned(),
        text: asked.get("text").to_owned(),
        next: next_of(&page, &ours),
        is_first: !asked.has("after"),
        items: page.items.into_iter().map(|found| match_shown(found, &shell)).collect(),
        shell,
    }))
}

pub(crate) fn match_shown(found: Match, shell: &Shell) -> MatchShown {
    MatchShown {
        left: InShort::of(&found.left, &found.left_amount, shell),
        right: InShort::of(&found.right, &found.right_amount, shell),
        rows: rows(&found.left, &found.right, &found.currency, shell),
        reasons: compare::weighted(&found.reasons),
        has_difference: !crate::answers::is_zero(&found.difference),
        found,
    }
}

/// Side by side where there is one record on each; otherwise the records are listed.
pub(crate) fn rows(left: &[Record], right: &[Record], currency: &str, shell: &Shell) -> Vec<Row> {
    if left.len() != 1 || right.len() != 1 {
        return vec![];
    }
    compare::rows(left, right, |record| match &record.foreign {
        Some(foreign) => format!(
            "{} {} = {} {currency}",
            shell.money(&record.amount),
            foreign.currency,
            shell.money(&foreign.converted)
        ),
        None => format!("{} {currency}", shell.money(&record.amount)),
    })
}

pub(super) async fn list_exceptions(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (id, asked) = (id_of(&names), Fields::parse(query.unwrap_or_default().as_bytes()));
    let (run, summary) = match finished(&visit, &id).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shell = visit.shell("reconciliations");
    let (path, ours) = addresses(&shell.base(), &id, "exceptions", "exceptions", &asked, &["kind", "text"]);
    let page: Items<Exception> = visit.ask.get(&path).await?;
    let kinds = summary.exceptions_by_kind.iter();
    Ok(visit.page(&ExceptionsPage {
        head: Head::new(&run, &summary, "exceptions"),
        kind: asked.get("kind").to_owned(),
        text: asked.get("text").to_owned(),
        kinds: kinds.map(|(kind, count)| (kind.clone(), words::exception(kind).0, *count)).collect(),
        next: next_of(&page, &ours),
        is_first: !asked.has("after"),
        items: page.items.into_iter().map(|found| exception_shown(found, &shell)).collect(),
        shell,
    }))
}

pub(crate) fn exception_shown(mut found: Exception, shell: &Shell) -> ExceptionShown {
    let (title, advice) = words::exception(&found.kind);
    let own = std::slice::from_ref(&found.record);
    let candidates = std::mem::take(&mut found.candidates);
    let candidate = |candidate: crate::answers::Candidate| CandidateShown {
        confidence: candidate.confidence,
        in_short: InShort::of(&candidate.records, &sum(&candidate.records), shell),
        rows: rows(own, &candidate.records, &candidate.currency, shell),
        reasons: compare::weighted(&candidate.reasons),
    };
    let candidates = candidates.into_iter().map(candidate).collect();
    let in_short = InShort::of(own, &found.amount, shell);
    ExceptionShown { title, advice, in_short, candidates, found }
}

/// Of one record its amount; a group's sum is the API's business, and it does not say it here.
fn sum(records: &[Record]) -> String {
    match records {
        [one] => one.amount.clone(),
        _ => String::new(),
    }
}

pub(super) async fn list_rejected_lines(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (id, asked) = (id_of(&names), Fields::parse(query.unwrap_or_default().as_bytes()));
    let (run, summary) = match finished(&visit, &id).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shell = visit.shell("reconciliations");
    let (path, ours) = addresses(&shell.base(), &id, "rejected-lines", "rejected-lines", &asked, &[]);
    let page: Items<RejectedLine> = visit.ask.get(&path).await?;
    Ok(visit.page(&RejectedPage {
        head: Head::new(&run, &summary, "rejected"),
        next: next_of(&page, &ours),
        is_first: !asked.has("after"),
        items: page.items,
        shell,
    }))
}

/// The files that the API offers, under the session of the page.
const FILES: [&str; 7] = [
    "results.csv",
    "results.jsonl",
    "results.xlsx",
    "exceptions.csv",
    "exceptions.jsonl",
    "rejected-lines.csv",
    "rejected-lines.jsonl",
];

pub(super) async fn download(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let wanted = names.get("name").map_or("", String::as_str);
    let Some(name) = FILES.iter().find(|name| **name == wanted) else {
        return Err(refusal(StatusCode::NOT_FOUND, "There is no such file"));
    };
    visit.ask.open(&format!("/api/reconciliation/jobs/{id}/{name}"), None).await
}
