//! Deciding about everything that fits a filter: looked at first, and then as one decision, which can be taken back
//! as one.

use super::answers::{ActionWord, DecidedAnswer, ReviewedExceptionAnswer, ReviewedMatchAnswer};
use super::decisions::{code, day};
use super::filters::{ExceptionWords, MatchWords};
use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::{Fields, JsonBody, PathId, ReadBody, choice, id, object, text};
use crate::reconciliation::{PassNames, exponent};
use crate::request_id::RequestId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use matching::format_minor;
use serde::Serialize;
use serde_json::json;
use shared::ids::{JobId, UserId};
use shared::store::audit::Note;
use shared::store::review::{self, ExceptionOrder, Fitting, ITEMS_MAX, Item, NewDecision};
use utoipa::ToSchema;

/// What is chosen: one of the two.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkReviewFilter)]
pub(crate) struct ChoiceBody {
    #[schema(nullable = false, value_type = Option<MatchWords>)]
    matches: Option<MatchWords>,
    #[schema(nullable = false, value_type = Option<ExceptionWords>)]
    exceptions: Option<ExceptionWords>,
}

impl ReadBody for ChoiceBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let matches = fields.optional("matches", object(|fields| Some(MatchWords::read(fields))));
        let exceptions = fields.optional("exceptions", object(|fields| Some(ExceptionWords::read(fields))));
        if matches.is_some() == exceptions.is_some() {
            return fields.wrong("subject", "choose either matches or exceptions");
        }
        Some(Self { matches, exceptions })
    }
}

impl ChoiceBody {
    fn fitting(&self, api: &Api, caller: &Caller, passes: &PassNames) -> Result<Fitting, Problem> {
        match (&self.matches, &self.exceptions) {
            (Some(words), _) => Ok(Fitting::Matches(words.filter(caller, passes)?)),
            (_, Some(words)) => Ok(Fitting::Exceptions(words.filter(caller, api.clock.now().date_naive())?)),
            (None, None) => Err(Problem::not_found()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = BulkReviewSum)]
pub(crate) struct SumAnswer {
    currency: String,
    count: i64,
    /// Decimal of major units, in text; of matches that of the left side.
    amount: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BulkReviewPreview)]
pub(crate) struct PreviewAnswer {
    count: usize,
    /// More fit than one decision may be about (50000): choose fewer.
    is_too_much: bool,
    sums: Vec<SumAnswer>,
    /// The first 20, of whichever was chosen.
    matches: Vec<ReviewedMatchAnswer>,
    exceptions: Vec<ReviewedExceptionAnswer>,
    /// Stands for exactly these items as they are now. Give it to the decision.
    token: String,
}

const SHOWN: u32 = 20;

/// What a decision about everything that fits would be about.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs/{id}/review/bulk/preview", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path)), request_body = ChoiceBody,
    responses(
        (status = 200, description = "What fits", body = PreviewAnswer),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn preview_bulk(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    JsonBody(body): JsonBody<ChoiceBody>,
) -> Result<Json<PreviewAnswer>, Problem> {
    let (run, _) = api.completed(id).await?;
    let passes = PassNames::of(&run.rules);
    let fitting = body.fitting(&api, &caller, &passes)?;
    let found = api.store.preview_review(id, &fitting).await?;
    let (mut matches, mut exceptions) = (vec![], vec![]);
    match &fitting {
        Fitting::Matches(filter) => {
            let items = api.store.review_matches(id, filter, None, SHOWN).await?;
            matches = items.into_iter().map(|item| ReviewedMatchAnswer::new(item, &passes)).collect();
        }
        Fitting::Exceptions(filter) => {
            let items = api.store.review_exceptions(id, filter, ExceptionOrder::Found, None, SHOWN).await?;
            exceptions = items.into_iter().map(Into::into).collect();
        }
    }
    let sum = |(currency, count, amount): (String, i64, i128)| {
        let amount = format_minor(amount, exponent(&currency));
        SumAnswer { currency, count, amount }
    };
    Ok(Json(PreviewAnswer {
        count: found.ordinals.len().min(ITEMS_MAX),
        is_too_much: found.ordinals.len() > ITEMS_MAX,
        sums: found.sums.into_iter().map(sum).collect(),
        matches,
        exceptions,
        token: found.token,
    }))
}

/// One decision about everything that was looked at.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkDecision)]
pub(crate) struct BulkBody {
    /// Accept, reject, unmatch, write_off, assign, set_due or set_reason.
    action: ActionWord,
    /// As it was looked at.
    #[schema(value_type = ChoiceBody)]
    filter: ChoiceBody,
    /// From the preview; 412 when something has changed since.
    #[schema(min_length = 32, max_length = 32)]
    token: String,
    #[schema(nullable = false, max_length = 40)]
    reason_code: Option<String>,
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    comment: Option<String>,
    #[schema(nullable = false, value_type = Option<Uuid>)]
    assignee: Option<UserId>,
    #[schema(nullable = false)]
    due_on: Option<NaiveDate>,
}

impl ReadBody for BulkBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let action: Option<ActionWord> = fields.required("action", choice);
        let filter = fields.required("filter", object(ChoiceBody::read));
        let token = fields.required("token", text(32..=32));
        let reason_code = fields.optional("reason_code", code);
        let comment = fields.optional("comment", text(1..=2000));
        let assignee = fields.optional("assignee", id);
        let due_on = fields.optional("due_on", day);
        let body =
            Self { action: action?, filter: filter?, token: token?, reason_code, comment, assignee, due_on };
        let is_matches = body.filter.matches.is_some();
        let goes_with = match body.action {
            ActionWord::Accept | ActionWord::Reject | ActionWord::Unmatch => is_matches,
            ActionWord::WriteOff => !is_matches,
            ActionWord::Assign | ActionWord::SetDue | ActionWord::SetReason => true,
            ActionWord::Match | ActionWord::Comment | ActionWord::Undo => false,
        };
        if !goes_with {
            return fields.wrong("action", "does not go with many items, or not with these");
        }
        if body.action == ActionWord::WriteOff && body.reason_code.is_none() {
            return fields.wrong("reason_code", "writing off needs a reason code");
        }
        Some(body)
    }
}

/// Decide about everything that fits, as one: it is done whole or not at all, and undone whole.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs/{id}/review/bulk", tag = "review",
    security(("access_token" = [])), request_body = BulkBody,
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    responses(
        (status = 201, description = "Decided; `status` says whether a second person is needed", body = DecidedAnswer),
        (status = 409, description = "Something that fits is not in a state for that", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 412, description = "What fits has changed since it was looked at", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn decide_in_bulk(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    request_id: RequestId,
    repeatable: Repeatable,
    PathId(id): PathId<JobId>,
    JsonBody(body): JsonBody<BulkBody>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let (run, _) = api.completed(id).await?;
    let fitting = body.filter.fitting(&api, &caller, &PassNames::of(&run.rules))?;
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let found = review::look_to_decide(&mut tx, id, &fitting).await?;
    if found.token != body.token {
        return Err(Problem::new(ProblemKind::Stale, "What fits has changed since the preview: look again"));
    }
    if found.ordinals.is_empty() {
        return Err(Problem::new(ProblemKind::Conflict, "Nothing fits"));
    }
    let new = NewDecision {
        job_id: id,
        by: caller.user_id,
        request_id: Some(request_id.as_str().to_owned()),
        action: body.action.into(),
        subject: fitting.subject(),
        items: found.ordinals.iter().map(|&ordinal| Item { ordinal, version: None }).collect(),
        right: vec![],
        flip_sign: false,
        assignee: body.assignee,
        due_on: body.due_on,
        reason_code: body.reason_code,
        comment: body.comment,
        undoes: None,
        is_bulk: true,
    };
    let decided = review::decide(&mut tx, &new).await?;
    let what = json!({
        "job_id": id.0, "action": new.action.as_str(), "subject": new.subject.as_str(), "items": decided.items,
        "is_bulk": true, "reason_code": new.reason_code, "is_proposed": decided.is_proposed(),
        "assignee": new.assignee, "due_on": new.due_on,
    });
    let id_of_decision = decided.id;
    let answer = DecidedAnswer::from(decided);
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, None, &answer).await?;
    Note::of(granted.project()?, "decision", id_of_decision).after(what).commit(tx).await?;
    tracing::info!(job_id = %id, items = new.items.len(), action = new.action.as_str(), "decided in bulk");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<ChoiceBody>();
        crate::document::assert_schema_is_read::<BulkBody>();
    }
}
