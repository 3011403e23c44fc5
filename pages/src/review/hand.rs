//! Matches by hand: finding what belongs together, and those that were made.

use super::answers::{HandMatch, ReasonCode, Review, ReviewedException};
use super::head::{ReviewHead, heads};
use super::line::{Line, exception_line};
use super::{api, ours};
use crate::answers::{Items, Reconciliation, Summary};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::problem::Document;
use crate::reconciliations::results::finished;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;

/// Records shown of each side.
const SHOWN: u32 = 100;

#[derive(Template)]
#[template(path = "review/find.html")]
pub(crate) struct FindPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub currency: String,
    pub min_amount: String,
    pub max_amount: String,
    pub text: String,
    pub sides: Vec<FindSide>,
    pub reasons: Vec<ReasonCode>,
    pub trouble: Option<Document>,
    pub back: String,
}

/// Open exceptions of one side, largest amount first, chosen ones before them.
pub(crate) struct FindSide {
    pub name: &'static str,
    pub title: &'static str,
    pub items: Vec<Choice>,
    pub has_more: bool,
}

pub(crate) struct Choice {
    pub line: Line,
    /// As the API writes it, for adding up.
    pub amount: String,
    pub is_chosen: bool,
}

pub(super) async fn find(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let chosen = asked.iter().filter(|(name, _)| matches!(*name, "left" | "right"));
    let chosen = chosen.map(|(name, number)| (name.to_owned(), number.to_owned())).collect();
    show_find(&visit, &id_of(&names), &asked, chosen, None).await
}

/// After a refusal, with what was chosen.
pub(super) async fn find_again(
    visit: &Visit,
    id: &str,
    asked: &Fields,
    chosen: Vec<(String, String)>,
    trouble: Document,
) -> Result<Response, Refusal> {
    show_find(visit, id, asked, chosen, Some(trouble)).await
}

async fn show_find(
    visit: &Visit,
    id: &str,
    asked: &Fields,
    chosen: Vec<(String, String)>,
    trouble: Option<Document>,
) -> Result<Response, Refusal> {
    let (run, summary, review) = match context(visit, id).await? {
        Ok(context) => context,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shell = visit.shell("reconciliations");
    let (head, review) = heads(&run, &summary, &review, "find");
    let currency = asked.given("currency").unwrap_or(review.currency()).to_owned();
    let (min_amount, max_amount) = (asked.get("min_amount").to_owned(), asked.get("max_amount").to_owned());
    let mut filter = format!("limit={SHOWN}&state=open&waiting=false&order=amount");
    let text = asked.get("text").to_owned();
    let words =
        [("currency", &currency), ("min_amount", &min_amount), ("max_amount", &max_amount), ("text", &text)];
    for (name, value) in words {
        if !value.is_empty() {
            filter.push_str(&format!("&{name}={}", escape_query(value)));
        }
    }
    let of_reasons = format!("/api/projects/{}/review/reasons", visit.project_id().unwrap_or_default());
    let (left, right, reasons) = tokio::join!(
        side(visit, id, &shell, ("left", "Left"), &filter, &chosen),
        side(visit, id, &shell, ("right", "Right"), &filter, &chosen),
        visit.ask.get::<Items<ReasonCode>>(&of_reasons)
    );
    let status = trouble.as_ref().and_then(|document| StatusCode::from_u16(document.status).ok());
    let page = FindPage {
        back: ours(
            &shell.base(),
            id,
            &format!(
                "/find?text={}&currency={}&min_amount={}&max_amount={}",
                escape_query(&text),
                escape_query(&currency),
                escape_query(&min_amount),
                escape_query(&max_amount)
            ),
        ),
        sides: vec![left?, right?],
        reasons: reasons?.items.into_iter().filter(|reason| reason.is_active).collect(),
        shell,
        head,
        review,
        currency,
        min_amount,
        max_amount,
        text,
        trouble,
    };
    Ok(visit.page_of(status.unwrap_or(StatusCode::OK), &page))
}

/// Chosen ones are there even when the filter leaves them out.
async fn side(
    visit: &Visit,
    id: &str,
    shell: &Shell,
    (name, title): (&'static str, &'static str),
    filter: &str,
    chosen: &[(String, String)],
) -> Result<FindSide, Refusal> {
    let page: Items<ReviewedException> =
        visit.ask.get(&api(id, &format!("/exceptions?side={name}&{filter}"))).await?;
    let has_more = page.next.is_some();
    let wanted: Vec<i64> = chosen
        .iter()
        .filter(|(side, _)| side == name)
        .filter_map(|(_, number)| number.parse().ok())
        .take(500)
        .collect();
    let mut found = vec![];
    for number in wanted.iter().filter(|number| page.items.iter().all(|known| known.item.number != **number))
    {
        let path = api(id, &format!("/exceptions/{number}"));
        let detail: Option<super::answers::ExceptionDetail> = visit.ask.find(&path).await?;
        let is_open = |item: &ReviewedException| item.item.state == "open" && item.exception.side == name;
        found.extend(detail.map(|detail| detail.item).filter(is_open));
    }
    let choice = |item: ReviewedException| Choice {
        amount: item.exception.amount.clone(),
        is_chosen: wanted.contains(&item.item.number),
        line: exception_line(shell, item, &[]),
    };
    let mut items: Vec<Choice> = found.into_iter().chain(page.items).map(choice).collect();
    items.sort_by_key(|choice| !choice.is_chosen);
    Ok(FindSide { name, title, items, has_more })
}

async fn context(
    visit: &Visit,
    id: &str,
) -> Result<Result<(Reconciliation, Summary, Review), Response>, Refusal> {
    let of_review = api(id, "");
    let (run, review) = tokio::join!(finished(visit, id), visit.ask.get::<Review>(&of_review));
    match run? {
        Ok((run, summary)) => Ok(Ok((run, summary, review?))),
        Err(elsewhere) => Ok(Err(elsewhere)),
    }
}

#[derive(Template)]
#[template(path = "review/by_hand.html")]
pub(crate) struct ByHandPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub state: String,
    pub items: Vec<HandMatch>,
    pub next: Option<String>,
    pub is_first: bool,
    pub back: String,
}

pub(super) async fn list(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (id, asked) = (id_of(&names), Fields::parse(query.unwrap_or_default().as_bytes()));
    let (run, summary, review) = match context(&visit, &id).await? {
        Ok(context) => context,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let mut path = api(&id, "/hand-matches?limit=50");
    for name in ["state", "after"] {
        if let Some(value) = asked.given(name) {
            path.push_str(&format!("&{name}={}", escape_query(value)));
        }
    }
    let page: Items<HandMatch> = visit.ask.get(&path).await?;
    let shell = visit.shell("reconciliations");
    let state = asked.get("state").to_owned();
    let back = ours(&shell.base(), &id, &format!("/by-hand?state={}", escape_query(&state)));
    let (head, review) = heads(&run, &summary, &review, "by-hand");
    Ok(visit.page(&ByHandPage {
        head,
        review,
        next: page.after().map(|after| format!("{back}&after={after}")),
        is_first: !asked.has("after"),
        items: page.items,
        shell,
        state,
        back,
    }))
}
