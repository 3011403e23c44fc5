//! The desk: a queue, the case at hand, and the proof.

use super::answers::{Decision, ExceptionDetail, ReasonCode, Review, ReviewedException, ReviewedMatch};
use super::case::{Case, case_of_exception, case_of_match};
use super::filter::{Filter, Queue};
use super::head::{ReviewHead, heads};
use super::line::{Line, exception_line, match_line};
use super::people::{Owner, members, name_of, owners};
use super::said::{Done, done};
use super::{api, ours};
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::problem::Document;
use crate::reconciliations::results::finished;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use crate::words;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;

/// Lines of a queue. More make every step slower, and nobody looks at them at once.
const SHOWN: u32 = 40;
/// Decisions about the case at hand.
const HISTORY: u32 = 20;

#[derive(Template)]
#[template(path = "review/desk.html")]
pub(crate) struct DeskPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub queue: Queue,
    pub filter: Filter,
    pub lines: Vec<Line>,
    /// Address of the next page of the queue.
    pub next_page: Option<String>,
    pub is_first: bool,
    pub case: Option<Case>,
    /// Who has it.
    pub owner: String,
    /// The queue, without the case.
    pub back: String,
    /// What comes up once this case is decided.
    pub after_this: String,
    pub trouble: Option<Document>,
    pub done: Option<Done>,
    pub reasons: Vec<ReasonCode>,
    pub people: Vec<Owner>,
    /// Exceptions by kind: name, title, open ones.
    pub kinds: Vec<(String, &'static str, i64)>,
    pub all_people: bool,
    pub find: String,
    /// The address of the case itself.
    pub here: String,
}

pub(super) async fn show(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
    queue: Queue,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    desk(&visit, &id_of(&names), queue, &asked, None).await
}

/// The page; with `trouble` it is the answer to a decision that was refused.
pub(super) async fn desk(
    visit: &Visit,
    id: &str,
    queue: Queue,
    asked: &Fields,
    trouble: Option<Document>,
) -> Result<Response, Refusal> {
    let filter = Filter::read(queue, asked);
    let (figures, of_reasons) =
        (api(id, ""), format!("/api/projects/{}/review/reasons", visit.project_id().unwrap_or_default()));
    let (run, review, reasons, people) = tokio::join!(
        finished(visit, id),
        visit.ask.get::<Review>(&figures),
        visit.ask.get::<Items<ReasonCode>>(&of_reasons),
        members(visit, asked.has("people")),
    );
    let (run, summary) = match run? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let review = review?;
    let shell = visit.shell("reconciliations");
    let (head, of_review) = heads(&run, &summary, &review, queue.as_str());
    let back = ours(&shell.base(), id, &format!("/{}?{}", queue.as_str(), filter.query()));
    let page = with_after(&back, asked.given("after"));
    let people = owners(&shell, &review, people?);
    let list = format!(
        "/{}?limit={SHOWN}{}{}",
        queue.as_str(),
        filter.api_query(of_review.currency()),
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default()
    );
    let at: Option<i64> = asked.get("at").parse().ok();
    let list = read_list(visit, id, queue, &list, &shell, &people);
    let ((mut lines, cursor), case) = match at {
        Some(at) => {
            let (list, case) = tokio::join!(list, read_case(visit, id, queue, at, asked, &shell));
            (list?, case?)
        }
        None => {
            let (lines, cursor) = list.await?;
            let case = match lines.first() {
                Some(line) => read_case(visit, id, queue, line.number, asked, &shell).await?,
                None => None,
            };
            ((lines, cursor), case)
        }
    };
    let current = case.as_ref().map(|case| case.item.number);
    for line in &mut lines {
        line.address = format!("{page}&at={}", line.number);
        line.is_current = Some(line.number) == current;
    }
    let status = trouble.as_ref().and_then(|document| StatusCode::from_u16(document.status).ok());
    let template = DeskPage {
        owner: case.as_ref().map_or(String::new(), |case| name_of(&people, case.item.assignee.as_deref())),
        after_this: after_this(&lines, current).map(|number| number.to_string()).unwrap_or_default(),
        next_page: cursor.map(|after| with_after(&back, Some(&after))),
        is_first: !asked.has("after"),
        done: done(&shell, asked, trouble.is_some()),
        kinds: open_kinds(&review),
        all_people: asked.has("people"),
        find: current.map_or(String::new(), |number| find_address(&shell, id, case.as_ref(), number)),
        here: current.map_or(page.clone(), |number| format!("{page}&at={number}")),
        reasons: reasons?.items.into_iter().filter(|reason| reason.is_active).collect(),
        back: page,
        shell,
        head,
        review: of_review,
        queue,
        filter,
        lines,
        case,
        trouble,
        people,
    };
    Ok(visit.page_of(status.unwrap_or(StatusCode::OK), &template))
}

fn with_after(back: &str, after: Option<&str>) -> String {
    match after {
        Some(after) => format!("{back}&after={}", escape_query(after)),
        None => back.to_owned(),
    }
}

/// The one below, or above at the end.
fn after_this(lines: &[Line], current: Option<i64>) -> Option<i64> {
    let at = lines.iter().position(|line| Some(line.number) == current)?;
    lines
        .get(at + 1)
        .or_else(|| at.checked_sub(1).and_then(|before| lines.get(before)))
        .map(|line| line.number)
}

async fn read_list(
    visit: &Visit,
    id: &str,
    queue: Queue,
    below: &str,
    shell: &Shell,
    people: &[Owner],
) -> Result<(Vec<Line>, Option<String>), Refusal> {
    let path = api(id, below);
    match queue {
        Queue::Exceptions => {
            let page: Items<ReviewedException> = visit.ask.get(&path).await?;
            let cursor = page.after().map(str::to_owned);
            Ok((page.items.into_iter().map(|item| exception_line(shell, item, people)).collect(), cursor))
        }
        Queue::Matches => {
            let page: Items<ReviewedMatch> = visit.ask.get(&path).await?;
            let cursor = page.after().map(str::to_owned);
            Ok((page.items.into_iter().map(|item| match_line(shell, item, people)).collect(), cursor))
        }
    }
}

/// `None`: there is no such item.
async fn read_case(
    visit: &Visit,
    id: &str,
    queue: Queue,
    number: i64,
    asked: &Fields,
    shell: &Shell,
) -> Result<Option<Case>, Refusal> {
    let of_history =
        api(id, &format!("/decisions?subject={}&number={}&limit={HISTORY}", queue.subject(), number.max(1)));
    let of_item = api(id, &format!("/{}/{number}", queue.as_str()));
    match queue {
        Queue::Exceptions => {
            let (detail, decisions) = found(visit, &of_item, &of_history).await?;
            let candidate = asked.get("candidate").parse().unwrap_or(1);
            Ok(detail.map(|detail: ExceptionDetail| case_of_exception(shell, detail, candidate, decisions)))
        }
        Queue::Matches => {
            let (found, decisions) = found(visit, &of_item, &of_history).await?;
            Ok(found.map(|found: ReviewedMatch| case_of_match(shell, found, decisions)))
        }
    }
}

async fn found<T: serde::de::DeserializeOwned>(
    visit: &Visit,
    of_item: &str,
    of_history: &str,
) -> Result<(Option<T>, Vec<Decision>), Refusal> {
    let (item, decisions) =
        tokio::join!(visit.ask.find::<T>(of_item), visit.ask.get::<Items<Decision>>(of_history));
    match item? {
        Some(item) => Ok((Some(item), decisions?.items)),
        None => Ok((None, vec![])),
    }
}

fn open_kinds(review: &Review) -> Vec<(String, &'static str, i64)> {
    let mut kinds: Vec<(String, &'static str, i64)> = vec![];
    for count in &review.by_kind {
        let open = if count.state == "open" { count.count } else { 0 };
        match kinds.iter_mut().find(|(kind, ..)| *kind == count.kind) {
            Some((_, _, sum)) => *sum += open,
            None => kinds.push((count.kind.clone(), words::exception(&count.kind).0, open)),
        }
    }
    kinds.sort_by_key(|(kind, _, open)| (std::cmp::Reverse(*open), kind.clone()));
    kinds
}

/// Of a record its own side is fixed, and nothing larger on the other one is worth showing first.
fn find_address(shell: &Shell, id: &str, case: Option<&Case>, number: i64) -> String {
    match case.filter(|case| case.may_write_off) {
        Some(case) => ours(
            &shell.base(),
            id,
            &format!(
                "/find?{}={number}&currency={}&max_amount={}",
                case.side,
                case.currency,
                case.amount.trim_start_matches('-')
            ),
        ),
        None => String::new(),
    }
}
