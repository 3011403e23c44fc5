//! Matches by hand: those that were made.

use super::answers::{HandMatch, Review};
use super::head::{ReviewHead, heads};
use super::{api, ours};
use crate::answers::{Items, Reconciliation, Summary};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::reconciliations::results::finished;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;

/// What every page of a review begins with: the run, or where to go as long as it has no results.
pub(super) async fn context(
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
