//! Deciding about everything that fits a filter: what that is comes first.

use super::answers::{Decided, Preview, ReasonCode, Review};
use super::filter::{Filter, Queue};
use super::head::{ReviewHead, heads};
use super::line::{Line, exception_line, match_line};
use super::people::{Owner, members};
use super::said::done_query;
use super::{api, ours};
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::problem::Document;
use crate::reconciliations::results::finished;
use crate::reconciliations::show::Head;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

#[derive(Template)]
#[template(path = "review/bulk.html")]
pub(crate) struct BulkPage {
    pub shell: Shell,
    pub head: Head,
    pub review: ReviewHead,
    pub queue: Queue,
    pub filter: Filter,
    pub found: Preview,
    pub lines: Vec<Line>,
    /// Those that go with these items: word and label.
    pub actions: Vec<(&'static str, &'static str)>,
    pub reasons: Vec<ReasonCode>,
    pub people: Vec<Owner>,
    pub back: String,
    pub trouble: Option<Document>,
}

fn queue_of(asked: &Fields) -> Queue {
    if asked.get("of") == "matches" { Queue::Matches } else { Queue::Exceptions }
}

pub(super) async fn preview(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    show(&visit, &id_of(&names), &asked, None).await
}

async fn show(
    visit: &Visit,
    id: &str,
    asked: &Fields,
    trouble: Option<Document>,
) -> Result<Response, Refusal> {
    let queue = queue_of(asked);
    let filter = Filter::read(queue, asked);
    let of_review = api(id, "");
    let of_reasons = format!("/api/projects/{}/review/reasons", visit.project_id().unwrap_or_default());
    let (run, review, reasons, people) = tokio::join!(
        finished(visit, id),
        visit.ask.get::<Review>(&of_review),
        visit.ask.get::<Items<ReasonCode>>(&of_reasons),
        members(visit, true)
    );
    let (run, summary) = match run? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let (head, review) = heads(&run, &summary, &review?, queue.as_str());
    let found: Preview =
        visit.ask.post(&api(id, "/bulk/preview"), &filter.api_body(review.currency())).await?;
    let shell = visit.shell("reconciliations");
    let people = people?;
    let exceptions = found.exceptions.iter().cloned().map(|item| exception_line(&shell, item, &people));
    let matches = found.matches.iter().cloned().map(|item| match_line(&shell, item, &people));
    let status = trouble.as_ref().and_then(|document| StatusCode::from_u16(document.status).ok());
    let page = BulkPage {
        lines: exceptions.chain(matches).collect(),
        actions: actions(queue, filter.state()),
        reasons: reasons?.items.into_iter().filter(|reason| reason.is_active).collect(),
        back: ours(&shell.base(), id, &format!("/{}?{}", queue.as_str(), filter.query())),
        shell,
        head,
        review,
        queue,
        filter,
        found,
        people,
        trouble,
    };
    Ok(visit.page_of(status.unwrap_or(StatusCode::OK), &page))
}

fn actions(queue: Queue, state: &str) -> Vec<(&'static str, &'static str)> {
    let mut actions = match (queue, state) {
        (Queue::Exceptions, "open") => vec![("write_off", "Write off")],
        (Queue::Matches, "suggested") => vec![("accept", "Accept"), ("reject", "Reject")],
        (Queue::Matches, "confirmed" | "accepted") => vec![("unmatch", "Take apart")],
        _ => vec![],
    };
    actions.extend([("assign", "Assign"), ("set_due", "Set the due date"), ("set_reason", "Set the reason")]);
    actions
}

pub(super) async fn decide(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let queue = queue_of(&form);
    let filter = Filter::read(queue, &form);
    let currency = form.get("run_currency");
    let mut body = json!({
        "action": form.get("action"), "filter": filter.api_body(currency), "token": form.get("token"),
    });
    // The filter has a reason and an assignee, too.
    let fields = [
        ("reason_code", "new_reason"),
        ("comment", "comment"),
        ("assignee", "new_assignee"),
        ("due_on", "due_on"),
    ];
    for (name, field) in fields {
        if let Some(value) = form.given(field) {
            body[name] = value.into();
        }
    }
    match visit.ask.post::<Decided>(&api(&id, "/bulk"), &body).await {
        Ok(decided) => {
            let back = ours(&visit.shell.base(), &id, &format!("/{}?{}", queue.as_str(), filter.query()));
            let about = crate::words::subjects(queue.subject());
            let did = done_query(&decided, form.get("action"), about, "");
            Ok(Redirect::to(&format!("{back}{did}&items={}", decided.items)).into_response())
        }
        Err(refusal)
            if matches!(
                refusal.status,
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED | StatusCode::UNPROCESSABLE_ENTITY
            ) =>
        {
            show(&visit, &id, &form, Some(*refusal.document)).await
        }
        Err(refusal) => Err(refusal),
    }
}
