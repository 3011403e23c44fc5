//! What was decided.

use super::answers::{ChangeAnswer, DecisionAnswer, SubjectWord};
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::reconciliation::address;
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use shared::ids::{DecisionId, JobId};
use shared::store::review::{HistoryOf, Subject};
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DecisionList {
    /// Only what concerns one item: `subject` and `number` together.
    subject: Option<SubjectWord>,
    #[param(minimum = 1)]
    number: Option<u32>,
    /// Only those older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<DecisionId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for DecisionList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let subject = parameters.optional("subject", Parameters::choice);
        let number = subject.map(|_| parameters.required("number", Parameters::integer(1..=i32::MAX as u32)));
        let after = parameters.optional("after", Parameters::id);
        let limit = page::limit(parameters);
        let number = match number {
            Some(number) => Some(number?),
            None => None,
        };
        Some(Self { subject, number, after, limit })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DecisionPage {
    /// Newest first.
    items: Vec<DecisionAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

impl DecisionPage {
    pub(super) fn new(items: Vec<DecisionAnswer>, next: Option<String>) -> Self {
        Self { items, next }
    }
}

/// Decisions, newest first: of the whole run, or about one item.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/decisions", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), DecisionList),
    responses((status = 200, description = "A page of decisions", body = DecisionPage))
)]
pub(crate) async fn list_decisions(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    Query(query): Query<DecisionList>,
) -> Result<Json<DecisionPage>, Problem> {
    let subject = query.subject.map(Subject::from);
    let of = match (subject, query.number) {
        (Some(subject), Some(number)) => HistoryOf::Item(subject, number as i32 - 1),
        _ => HistoryOf::Run,
    };
    let found = api.store.decisions(id, of, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [
        ("subject", subject.map(|subject| subject.as_str().to_owned())),
        ("number", query.number.map(|number| number.to_string())),
        ("limit", Some(query.limit.to_string())),
    ];
    let next = page.next(&format!("{}/review/decisions", address(id)), &kept, |last| last.id);
    Ok(Json(DecisionPage::new(page.items.into_iter().map(Into::into).collect(), next)))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeList {
    /// Only items behind this number.
    #[param(minimum = 1)]
    after: Option<u32>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for ChangeList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::integer(1..=i32::MAX as u32));
        Some(Self { after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DecisionDetail)]
pub(crate) struct DetailAnswer {
    decision: DecisionAnswer,
    changes: Vec<ChangeAnswer>,
    /// Address of the next page of changes; null on the last one.
    next: Option<String>,
}

/// One decision, and what it changes item by item.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review/decisions/{decision}", tag = "review",
    security(("access_token" = [])), params(("id" = Uuid, Path), ("decision" = Uuid, Path), ChangeList),
    responses((status = 200, description = "The decision", body = DetailAnswer))
)]
pub(crate) async fn show_decision(
    State(api): State<Api>,
    Path((id, decision)): Path<(String, String)>,
    Query(query): Query<ChangeList>,
) -> Result<Json<DetailAnswer>, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::not_found())?;
    let decision: DecisionId = decision.parse().map_err(|_| Problem::not_found())?;
    let found = api.store.decision(id, decision).await?.ok_or_else(Problem::not_found)?;
    let after = query.after.map(|number| number as i32 - 1);
    let changes = api.store.decision_changes(decision, after, query.limit + 1).await?;
    let page = Page::cut(changes, query.limit);
    let path = format!("{}/review/decisions/{decision}", address(id));
    let next = page.next(&path, &[("limit", Some(query.limit.to_string()))], |last| last.ordinal + 1);
    let changes = page.items.into_iter().map(Into::into).collect();
    Ok(Json(DetailAnswer { decision: found.into(), changes, next }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::ChangeList>();
    }
}
