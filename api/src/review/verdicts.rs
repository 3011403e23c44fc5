//! Four eyes: the second person's word on a decision above the limit, and the list of what waits for it.

use super::answers::{DecidedAnswer, VerdictWord};
use super::history::DecisionPage;
use crate::caller::Caller;
use crate::guard::Granted;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::{Fields, JsonBody, Parameters, PathId, Query, ReadBody, ReadQuery, choice, text};
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::ids::{DecisionId, JobId, ProjectId, UserId};
use shared::store::audit::Note;
use shared::store::projects::ProjectRole;
use shared::store::review::{self, Verdict};
use utoipa::{IntoParams, ToSchema};

/// Whether somebody may have the second word. That it is another person than the first is the database's to hold.
fn may_judge(role: ProjectRole, by: UserId, decided_by: UserId, verdict: Verdict) -> Result<(), Problem> {
    let is_same = by == decided_by;
    match verdict {
        Verdict::Withdrawn if is_same => Ok(()),
        Verdict::Withdrawn => {
            Err(Problem::new(ProblemKind::Forbidden, "Only who proposed a decision can withdraw it"))
        }
        _ if is_same => {
            Err(Problem::new(ProblemKind::Forbidden, "The second word on a decision is another person's"))
        }
        _ if role < ProjectRole::Approver => {
            Err(Problem::new(ProblemKind::Forbidden, "The second word takes the role approver"))
        }
        _ => Ok(()),
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewVerdict)]
pub(crate) struct VerdictBody {
    verdict: VerdictWord,
    /// Needed for a refusal.
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

impl ReadBody for VerdictBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let verdict = fields.required("verdict", choice);
        let reason = fields.optional("reason", text(1..=2000));
        let verdict = verdict?;
        if verdict == VerdictWord::Refused && reason.is_none() {
            return fields.wrong("reason", "a refusal needs a reason");
        }
        Some(Self { verdict, reason })
    }
}

/// Approve a proposed decision, which then takes effect, or refuse it; or withdraw one's own.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs/{id}/review/decisions/{decision}/verdict", tag = "review",
    security(("access_token" = [])), request_body = VerdictBody,
    params(("id" = Uuid, Path), ("decision" = Uuid, Path)),
    responses(
        (status = 200, description = "Said", body = DecidedAnswer),
        (status = 409, description = "It does not wait, or cannot take effect any more", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn judge_decision(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    Path((id, decision)): Path<(String, String)>,
    JsonBody(body): JsonBody<VerdictBody>,
) -> Result<Json<DecidedAnswer>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::not_found())?;
    let decision: DecisionId = decision.parse().map_err(|_| Problem::not_found())?;
    let proposed = api.store.decision(id, decision).await?.ok_or_else(Problem::not_found)?;
    let verdict = Verdict::from(body.verdict);
    may_judge(granted.role()?, caller.user_id, proposed.decided_by, verdict)?;
    let mut tx = api.store.begin().await?;
    let judged =
        review::judge(&mut tx, id, decision, caller.user_id, verdict, body.reason.as_deref()).await?;
    let said = json!({"job_id": id.0, "verdict": verdict.as_str(), "reason": body.reason});
    Note::of(granted.project()?, "decision", decision).after(said).commit(tx).await?;
    Ok(Json(judged.into()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WaitingFor {
    /// What the caller may have the second word on.
    Me,
    /// Everything that waits.
    Anybody,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitingList {
    #[param(inline)]
    waiting_for: Option<WaitingFor>,
    /// Only those older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<DecisionId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for WaitingList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let waiting_for = parameters.optional("waiting_for", Parameters::choice);
        let after = parameters.optional("after", Parameters::id);
        Some(Self { waiting_for, after, limit: page::limit(parameters) })
    }
}

/// Decisions of a project that wait for a second person, newest first.
#[utoipa::path(
    get, path = "/api/projects/{id}/review/waiting", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path), WaitingList),
    responses((status = 200, description = "A page of decisions", body = DecisionPage))
)]
pub(crate) async fn list_waiting_decisions(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    PathId(id): PathId<ProjectId>,
    Query(query): Query<WaitingList>,
) -> Result<Json<DecisionPage>, Problem> {
    let for_me = query.waiting_for == Some(WaitingFor::Me);
    if for_me && granted.role()? < ProjectRole::Approver {
        return Ok(Json(DecisionPage::new(vec![], None)));
    }
    let not_by = for_me.then_some(caller.user_id);
    let found = api.store.waiting_decisions(id, not_by, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let word = query.waiting_for.map(|who| if who == WaitingFor::Me { "me" } else { "anybody" }.to_owned());
    let kept = [("waiting_for", word), ("limit", Some(query.limit.to_string()))];
    let next = page.next(&format!("/api/projects/{id}/review/waiting"), &kept, |last| last.id);
    Ok(Json(DecisionPage::new(page.items.into_iter().map(Into::into).collect(), next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_word_is_another_persons_who_may() {
        let (jane, ann) = (UserId::new(), UserId::new());
        let may = |role, by, verdict| may_judge(role, by, jane, verdict).is_ok();
        assert!(may(ProjectRole::Approver, ann, Verdict::Approved));
        assert!(may(ProjectRole::Admin, ann, Verdict::Refused));
        assert!(!may(ProjectRole::Operator, ann, Verdict::Approved));
        assert!(!may(ProjectRole::Admin, jane, Verdict::Approved));
        assert!(may(ProjectRole::Operator, jane, Verdict::Withdrawn));
        assert!(!may(ProjectRole::Admin, ann, Verdict::Withdrawn));
    }

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<VerdictBody>();
        crate::document::assert_query_is_read::<WaitingList>();
    }
}
