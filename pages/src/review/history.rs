//! What was decided, by whom, and what can be taken back.

use super::answers::{Decision, Review};
use super::head::{ReviewHead, heads};
use super::{api, ours};
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::reconciliations::results::finished;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use crate::words;
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::Response;

/// A decision as a line of history.
pub(crate) struct Past {
    pub decision: Decision,
    /// As `accepted`.
    pub says: &'static str,
    /// `3 matches`, or nothing for one.
    pub about: String,
    pub may_undo: bool,
    /// It waits, and this visitor may say the second word.
    pub may_judge: bool,
    pub may_withdraw: bool,
}

impl Past {
    /// Where in the review its items are, while it waits.
    pub fn place(&self) -> &'static str {
        match self.decision.subject.as_str() {
            "match" => "matches?state=any&waiting=true",
            "exception" => "exceptions?state=any&waiting=true",
            _ => "by-hand?state=proposed",
        }
    }
}

/// With what this visitor may do about it. Whether it can still be done the API says.
pub(crate) fn past(shell: &Shell, decision: Decision) -> Past {
    let is_mine = shell.user.as_ref().is_some_and(|user| user.id == decision.decided_by.id);
    let is_proposed = decision.status == "proposed";
    Past {
        says: words::decided(&decision.action),
        about: match (decision.items, decision.is_bulk) {
            (items, true) => format!("{} {}", shell.number(items), words::subjects(&decision.subject)),
            _ => String::new(),
        },
        may_undo: decision.status == "effective"
            && !matches!(decision.action.as_str(), "comment" | "undo")
            && shell.may_operate(),
        may_judge: is_proposed && !is_mine && shell.may_approve(),
        may_withdraw: is_proposed && is_mine,
        decision,
    }
}

#[derive(Template)]
#[template(path = "review/decisions.html")]
pub(crate) struct DecisionsPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub decisions: Vec<Past>,
    pub next: Option<String>,
    pub is_first: bool,
    pub back: String,
}

const SHOWN: u32 = 50;

pub(super) async fn list(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (id, asked) = (id_of(&names), Fields::parse(query.unwrap_or_default().as_bytes()));
    let (run, summary) = match finished(&visit, &id).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let after = asked.given("after").map(|after| format!("&after={}", escape_query(after)));
    let of_list = api(&id, &format!("/decisions?limit={SHOWN}{}", after.unwrap_or_default()));
    let of_review = api(&id, "");
    let (review, page) =
        tokio::join!(visit.ask.get::<Review>(&of_review), visit.ask.get::<Items<Decision>>(&of_list));
    let (review, page) = (review?, page?);
    let shell = visit.shell("reconciliations");
    let back = ours(&shell.base(), &id, "/decisions");
    let (head, review) = heads(&run, &summary, &review, "decisions");
    Ok(visit.page(&DecisionsPage {
        head,
        review,
        next: page.after().map(|after| format!("{back}?after={after}")),
        is_first: !asked.has("after"),
        decisions: page.items.into_iter().map(|decision| past(&shell, decision)).collect(),
        back,
        shell,
    }))
}
