//! The desk: a queue, the case at hand, and the proof.

use super::answers::{
    Decided, Decision, ExceptionDetail, ReasonCode, Review, ReviewedException, ReviewedMatch,
};
use super::case::{Case, case_of_exception, case_of_match};
use super::filter::{Filter, Queue};
use super::head::{ReviewHead, heads};
use super::{api, ours};
use crate::answers::{Items, Record};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::problem::Document;
use crate::reconciliations::results::{InShort, finished};
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use crate::words;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Deserialize;

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

/// One item of a queue.
pub(crate) struct Line {
    pub number: i64,
    pub address: String,
    pub is_current: bool,
    pub what: String,
    pub note: String,
    pub amount: String,
    pub currency: String,
    /// Kind of an exception.
    pub title: &'static str,
    /// Of a match.
    pub confidence: Option<f64>,
    pub state: String,
    pub owner: String,
    pub due_on: Option<NaiveDate>,
    pub is_late: bool,
    pub comments: i64,
    pub is_waiting: bool,
    /// Since the day of the record.
    pub age: String,
}

/// Somebody who may have items.
pub(crate) struct Owner {
    pub id: String,
    pub name: String,
}

/// The decision before, to be taken back if it was a slip.
pub(crate) struct Done {
    pub says: String,
    pub decision: String,
    pub is_proposed: bool,
    pub may_undo: bool,
    /// Number of the item; empty where there were many.
    pub about: String,
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

pub(crate) fn exception_line(shell: &Shell, reviewed: ReviewedException, people: &[Owner]) -> Line {
    let found = reviewed.exception;
    let in_short = InShort::of(std::slice::from_ref(&found.record), &found.amount, shell);
    line(
        shell,
        reviewed.item,
        people,
        LineOf {
            what: in_short.what,
            note: format!("{} · {}", words::words(&found.side), in_short.note),
            amount: in_short.amount,
            currency: found.currency,
            title: words::exception(&found.kind).0,
            confidence: None,
            oldest: Some(found.record.date),
        },
    )
}

pub(crate) fn match_line(shell: &Shell, reviewed: ReviewedMatch, people: &[Owner]) -> Line {
    let found = reviewed.found;
    let in_short = InShort::of(&found.left, &found.left_amount, shell);
    let (left, right) = (found.left.len(), found.right.len());
    let dates = |records: &[Record]| records.iter().map(|record| record.date).min();
    let shape = if (left, right) == (1, 1) { String::new() } else { format!(" · {left} to {right}") };
    line(
        shell,
        reviewed.item,
        people,
        LineOf {
            what: in_short.what,
            note: format!("{}{shape}", in_short.note),
            amount: in_short.amount,
            currency: found.currency,
            title: "",
            confidence: Some(found.confidence),
            oldest: dates(&found.left).into_iter().chain(dates(&found.right)).min(),
        },
    )
}

struct LineOf {
    what: String,
    note: String,
    amount: String,
    currency: String,
    title: &'static str,
    confidence: Option<f64>,
    oldest: Option<NaiveDate>,
}

fn line(shell: &Shell, item: super::answers::Item, people: &[Owner], of: LineOf) -> Line {
    let today = shell.now.date_naive();
    let age = of.oldest.map(|date| (today - date).num_days()).filter(|days| *days >= 0);
    Line {
        number: item.number,
        address: String::new(),
        is_current: false,
        what: of.what,
        note: of.note,
        amount: of.amount,
        currency: of.currency,
        title: of.title,
        confidence: of.confidence,
        owner: name_of(people, item.assignee.as_deref()),
        is_late: item.due_on.is_some_and(|due| due < today),
        due_on: item.due_on,
        comments: item.comments,
        is_waiting: item.waiting.is_some(),
        age: age.map_or(String::new(), |days| format!("{} d", shell.number(days))),
        state: item.state,
    }
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
    name: String,
}

/// Only where they are asked for: lists of people are counted strictly.
pub(super) async fn members(visit: &Visit, are_asked_for: bool) -> Result<Vec<Owner>, Refusal> {
    if !are_asked_for {
        return Ok(vec![]);
    }
    let path = format!("/api/projects/{}/members?limit=500", visit.project_id().unwrap_or_default());
    let page: Items<Member> = visit.ask.get(&path).await?;
    Ok(page.items.into_iter().map(|member| Owner { id: member.user_id, name: member.name }).collect())
}

/// The visitor first, then who has something already, then the others.
fn owners(shell: &Shell, review: &Review, members: Vec<Owner>) -> Vec<Owner> {
    let mut people: Vec<Owner> = vec![];
    let me = shell.user.iter().map(|user| Owner { id: user.id.clone(), name: format!("{} (me)", user.name) });
    let having = review.by_assignee.iter().filter_map(|count| {
        Some(Owner { id: count.user_id.clone()?, name: count.name.clone().unwrap_or_default() })
    });
    for person in me.chain(having).chain(members) {
        if people.iter().all(|known| known.id != person.id) {
            people.push(person);
        }
    }
    people
}

fn name_of(people: &[Owner], id: Option<&str>) -> String {
    let Some(id) = id else { return String::new() };
    let known = people.iter().find(|person| person.id == id);
    known.map_or_else(|| "somebody".into(), |person| person.name.clone())
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

/// The words that [`super::decide`] puts into the address.
fn done(shell: &Shell, asked: &Fields, is_refused: bool) -> Option<Done> {
    let decision = asked.given("decision").filter(|_| !is_refused)?.to_owned();
    let action = asked.get("did");
    let is_proposed = asked.get("status") == "proposed";
    // Words of ours only: an address must not put others into our mouth.
    let subject = match asked.get("subject") {
        "match" => "Match",
        "exception" => "Exception",
        "hand_match" => "Match by hand",
        "matches" => "matches",
        "exceptions" => "exceptions",
        _ => "item",
    };
    let number = |name: &str| asked.get(name).parse::<i64>().ok();
    let (what, is_many) = match (number("about"), number("items")) {
        (Some(about), _) => (format!("{subject} {}", shell.number(about)), false),
        (None, Some(items)) => (format!("{} {subject}", shell.number(items)), items != 1),
        _ => ("It".to_owned(), false),
    };
    let says = match (is_proposed, is_many) {
        (true, false) => format!("{what} waits for a second person: it is above the limit"),
        (true, true) => format!("{what} wait for a second person: there are some above the limit"),
        (false, false) => format!("{what} was {}", words::decided(action)),
        (false, true) => format!("{what} were {}", words::decided(action)),
    };
    let about = number("about").map(|number| number.to_string()).unwrap_or_default();
    let may_undo = !is_proposed && !matches!(action, "undo" | "comment");
    Some(Done { says, decision, is_proposed, may_undo, about })
}

/// What [`done`] reads.
pub(super) fn done_query(decided: &Decided, action: &str, subject: &str, about: &str) -> String {
    format!(
        "&decision={}&did={}&status={}&subject={}&about={}",
        escape_query(&decided.id),
        escape_query(action),
        escape_query(&decided.status),
        escape_query(subject),
        escape_query(about)
    )
}
