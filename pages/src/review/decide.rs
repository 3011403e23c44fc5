//! Forms of a review: one decision, or the second word on one.

use super::answers::Decided;
use super::filter::Queue;
use super::queue::desk;
use super::said::done_query;
use super::{api, find, ours};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::reconciliations::{Names, id_of};
use crate::shell::Visit;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};

/// Goes back to where the form stood, with the next case; a refusal shows the same case again, and why.
pub(super) async fn decide(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    if find::is_narrowing(form.get("action")) {
        return Ok(find::narrowed(&visit, &id, &form));
    }
    let back = back(&visit, &id, &form);
    match visit.ask.post::<Decided>(&api(&id, "/decisions"), &body(&form)).await {
        Ok(decided) => {
            let about = if form.get("number").is_empty() { form.get("about") } else { form.get("number") };
            let did = done_query(&decided, form.get("action"), form.get("subject"), about);
            let next = form.given("next").map(|next| format!("&at={}", escape_query(next)));
            Ok(Redirect::to(&format!("{back}{}{did}", next.unwrap_or_default())).into_response())
        }
        Err(refusal) if is_explained(&refusal) => again(&visit, &id, &form, &back, refusal).await,
        Err(refusal) => Err(refusal),
    }
}

/// Approve, refuse or withdraw.
pub(super) async fn judge(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let path = api(&id, &format!("/decisions/{}/verdict", escape_query(form.get("decision"))));
    let mut body = json!({"verdict": form.get("verdict")});
    if let Some(reason) = form.given("reason") {
        body["reason"] = reason.into();
    }
    visit.ask.act(&path, Some(&body)).await?;
    let approvals = format!("{}/approvals", visit.shell.base());
    let target = if form.get("back") == approvals { approvals } else { back(&visit, &id, &form) };
    Ok(Redirect::to(&target).into_response())
}

/// Only pages of this review.
pub(super) fn back(visit: &Visit, id: &str, form: &Posted) -> String {
    let review = ours(&visit.shell.base(), id, "/");
    let wanted = form.get("back");
    let is_ours = wanted.starts_with(&review) && wanted.bytes().all(|byte| byte.is_ascii_graphic());
    match (is_ours, wanted.contains('?')) {
        (true, true) => wanted.to_owned(),
        (true, false) => format!("{wanted}?"),
        _ => format!("{review}matches?"),
    }
}

fn is_explained(refusal: &Refusal) -> bool {
    matches!(
        refusal.status,
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED | StatusCode::UNPROCESSABLE_ENTITY
    )
}

async fn again(
    visit: &Visit,
    id: &str,
    form: &Posted,
    back: &str,
    refusal: Refusal,
) -> Result<Response, Refusal> {
    let (page, query) = back.split_once('?').unwrap_or((back, ""));
    let at = form.given("number").map(|number| format!("&at={}", escape_query(number))).unwrap_or_default();
    let asked = Fields::parse(format!("{query}{at}").as_bytes());
    match page.rsplit('/').next() {
        Some("exceptions") => desk(visit, id, Queue::Exceptions, &asked, Some(*refusal.document)).await,
        Some("matches") => desk(visit, id, Queue::Matches, &asked, Some(*refusal.document)).await,
        Some("find") => find::again(visit, id, form, *refusal.document).await,
        _ => Err(refusal),
    }
}

/// What the API is asked for. What is no number goes as it was typed: the API says what is wrong with it.
fn body(form: &Posted) -> Value {
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
    let mut body = Map::new();
    body.insert("action".into(), form.get("action").into());
    if let (Some(subject), Some(of)) = (form.given("subject"), form.given("number")) {
        body.insert(subject.into(), number(of));
        if let Some(version) = form.given("version") {
            body.insert("version".into(), number(version));
        }
    }
    for name in ["reason_code", "comment", "assignee", "due_on", "undoes"] {
        if let Some(value) = form.given(name) {
            body.insert(name.into(), value.into());
        }
    }
    if form.get("action") == "match" {
        for side in ["left", "right"] {
            let of_side = form.iter().filter(|(name, _)| *name == side);
            let items: Vec<Value> = of_side.map(|(_, of)| json!({"number": number(of)})).collect();
            body.insert(side.into(), items.into());
        }
    }
    Value::Object(body)
}
