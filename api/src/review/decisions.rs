//! Deciding about one item, or making one match.

use super::answers::{ActionWord, DecidedAnswer};
use super::values;
use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::problem::{Problem, ProblemDocument};
use crate::read::{
    Fields, JsonBody, PathId, Place, ReadBody, boolean, choice, id, integer, list, object, text,
};
use crate::request_id::RequestId;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use serde_json::{Value, json};
use shared::ids::{DecisionId, JobId, UserId};
use shared::store::audit::Note;
use shared::store::review::{self, HAND_RECORDS_MAX, Item, NewDecision, Subject};
use utoipa::ToSchema;

/// What somebody decides. Exactly one of `match`, `exception`, `hand_match` says what about, except for a match by
/// hand (`left`, `right`) and for taking something back (`undoes`).
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDecision)]
pub(crate) struct DecisionBody {
    action: ActionWord,
    /// Number of a match that was found.
    #[schema(nullable = false, minimum = 1, value_type = Option<u32>)]
    #[serde(rename = "match")]
    found: Option<i32>,
    #[schema(nullable = false, minimum = 1, value_type = Option<u32>)]
    exception: Option<i32>,
    #[schema(nullable = false, minimum = 1, value_type = Option<u32>)]
    hand_match: Option<i32>,
    /// The version of the item that the decision is about; 412 when it has another one by now.
    #[schema(nullable = false, minimum = 0, value_type = Option<u32>)]
    version: Option<i32>,
    /// Open exceptions of the left side that belong together with those of the right. One side may be empty when the
    /// other one comes to nothing.
    #[schema(nullable = false, max_items = 500, value_type = Option<Vec<ItemBody>>)]
    left: Option<Vec<Item>>,
    #[schema(nullable = false, max_items = 500, value_type = Option<Vec<ItemBody>>)]
    right: Option<Vec<Item>>,
    /// The sides write the same money with opposite signs; without it, as the rules of the run say.
    #[schema(nullable = false)]
    flip_sign: Option<bool>,
    /// Of the project's list. Needed for writing off, and for a match whose sides differ.
    #[schema(nullable = false, max_length = 40)]
    reason_code: Option<String>,
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    comment: Option<String>,
    /// A member of the project.
    #[schema(nullable = false, value_type = Option<Uuid>)]
    assignee: Option<UserId>,
    #[schema(nullable = false)]
    due_on: Option<NaiveDate>,
    /// The decision to take back.
    #[schema(nullable = false, value_type = Option<Uuid>)]
    undoes: Option<DecisionId>,
}

/// An exception by its number.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DecisionItem)]
#[expect(dead_code, reason = "the shape of what `item` reads")]
pub(crate) struct ItemBody {
    #[schema(minimum = 1)]
    number: u32,
    #[schema(nullable = false, minimum = 0)]
    version: Option<u32>,
}

const NUMBER_MAX: u32 = i32::MAX as u32;

fn item(value: Value, place: &mut Place<'_>) -> Option<Item> {
    object(|fields| {
        let number = fields.required("number", integer(1..=NUMBER_MAX));
        let version = fields.optional("version", integer(0..=NUMBER_MAX));
        Some(Item { ordinal: number? as i32 - 1, version: version.map(|version| version as i32) })
    })(value, place)
}

pub(super) fn day(value: Value, place: &mut Place<'_>) -> Option<NaiveDate> {
    let day = text(10..=10)(value, place)?;
    values::day(&day).map_err(|detail| place.wrong::<NaiveDate>("format", detail)).ok()
}

pub(super) fn code(value: Value, place: &mut Place<'_>) -> Option<String> {
    let code = text(1..=40)(value, place)?;
    values::reason_code(&code).map_err(|detail| place.wrong::<String>("format", detail)).ok()
}

impl ReadBody for DecisionBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let number = |number: Option<u32>| number.map(|number| number as i32 - 1);
        let action: Option<ActionWord> = fields.required("action", choice);
        let body = Self {
            action: action.unwrap_or(ActionWord::Comment),
            found: number(fields.optional("match", integer(1..=NUMBER_MAX))),
            exception: number(fields.optional("exception", integer(1..=NUMBER_MAX))),
            hand_match: number(fields.optional("hand_match", integer(1..=NUMBER_MAX))),
            version: fields.optional("version", integer(0..=NUMBER_MAX)).map(|version| version as i32),
            left: fields.optional("left", list(HAND_RECORDS_MAX, item)),
            right: fields.optional("right", list(HAND_RECORDS_MAX, item)),
            flip_sign: fields.optional("flip_sign", boolean),
            reason_code: fields.optional("reason_code", code),
            comment: fields.optional("comment", text(1..=2000)),
            assignee: fields.optional("assignee", id),
            due_on: fields.optional("due_on", day),
            undoes: fields.optional("undoes", id),
        };
        action?;
        body.check(fields).map(|_| body)
    }
}

impl DecisionBody {
    /// What it is about goes with what is to be done.
    fn check(&self, fields: &mut Fields<'_>) -> Option<()> {
        let named = [self.found, self.exception, self.hand_match].iter().flatten().count();
        let named_ones = match self.action {
            ActionWord::Match | ActionWord::Undo => 0,
            _ => 1,
        };
        if named != named_ones {
            let detail = match named_ones {
                0 => "this action is about none of match, exception and hand_match",
                _ => "name one of match, exception and hand_match",
            };
            return fields.wrong("subject", detail);
        }
        let goes_with = match self.action {
            ActionWord::Accept | ActionWord::Reject => self.found.is_some(),
            ActionWord::Unmatch => self.exception.is_none(),
            ActionWord::WriteOff => self.exception.is_some(),
            ActionWord::Assign | ActionWord::SetDue | ActionWord::SetReason => self.hand_match.is_none(),
            ActionWord::Comment | ActionWord::Match | ActionWord::Undo => true,
        };
        if !goes_with {
            return fields.wrong("subject", "the action does not go with what it is to be about");
        }
        let is_match = self.action == ActionWord::Match;
        if is_match != (self.left.is_some() || self.right.is_some()) {
            return fields.wrong("records", "left and right are needed for a match, and for nothing else");
        }
        if (self.action == ActionWord::Undo) != self.undoes.is_some() {
            return fields.wrong("undoes", "is needed for undo, and for nothing else");
        }
        if self.action == ActionWord::Comment && self.comment.is_none() {
            return fields.wrong("comment", "comment is missing");
        }
        if self.action == ActionWord::WriteOff && self.reason_code.is_none() {
            return fields.wrong("reason_code", "writing off needs a reason code");
        }
        Some(())
    }

    fn decision(self, job_id: JobId, by: UserId, request_id: &RequestId, flips: bool) -> NewDecision {
        let (subject, ordinal) = match (self.found, self.exception, self.hand_match) {
            (Some(found), ..) => (Subject::Match, Some(found)),
            (_, Some(exception), _) => (Subject::Exception, Some(exception)),
            (.., Some(made)) => (Subject::HandMatch, Some(made)),
            _ => (Subject::Exception, None),
        };
        let one = ordinal.map(|ordinal| Item { ordinal, version: self.version });
        NewDecision {
            job_id,
            by,
            request_id: Some(request_id.as_str().to_owned()),
            action: self.action.into(),
            subject,
            items: self.left.unwrap_or_default().into_iter().chain(one).collect(),
            right: self.right.unwrap_or_default(),
            flip_sign: self.flip_sign.unwrap_or(flips),
            assignee: self.assignee,
            due_on: self.due_on,
            reason_code: self.reason_code,
            comment: self.comment,
            undoes: self.undoes,
            is_bulk: false,
        }
    }
}

/// Whether every pass of the rules compares amounts with opposite signs.
fn rules_flip(rules: &Value) -> bool {
    let passes = rules["pass"].as_array().map_or(&[] as &[_], Vec::as_slice);
    !passes.is_empty() && passes.iter().all(|pass| pass["amount"]["flip_sign"] == true)
}

/// Decide: accept, reject, take apart, match, write off, comment, assign, set a day or a reason, or take one back.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs/{id}/review/decisions", tag = "review",
    security(("access_token" = [])), request_body = DecisionBody,
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    responses(
        (status = 201, description = "Decided; `status` says whether a second person is needed", body = DecidedAnswer),
        (status = 409, description = "What it is about is not in a state for that", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "What it is about has changed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn decide_about_results(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    request_id: RequestId,
    repeatable: Repeatable,
    PathId(id): PathId<JobId>,
    JsonBody(body): JsonBody<DecisionBody>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let (run, _) = api.completed(id).await?;
    let new = body.decision(id, caller.user_id, &request_id, rules_flip(&run.rules));
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let decided = review::decide(&mut tx, &new).await?;
    let what = json!({
        "job_id": id.0, "action": new.action.as_str(), "subject": new.subject.as_str(), "items": decided.items,
        "first": new.items.first().map(|item| item.ordinal + 1), "reason_code": new.reason_code,
        "is_proposed": decided.is_proposed(), "undoes": new.undoes, "assignee": new.assignee, "due_on": new.due_on,
    });
    let id_of_decision = decided.id;
    let answer = DecidedAnswer::from(decided);
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, None, &answer).await?;
    Note::of(granted.project()?, "decision", id_of_decision).after(what).commit(tx).await?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_is_flipped_when_every_pass_does() {
        let flips = |passes: Value| rules_flip(&json!({ "pass": passes }));
        assert!(flips(json!([{"amount": {"flip_sign": true}}])));
        assert!(!flips(json!([{"amount": {"flip_sign": true}}, {"amount": {}}])));
        assert!(!flips(json!([])));
    }

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<DecisionBody>();
    }
}
