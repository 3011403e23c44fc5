//! Pages of exceptions: the records without a match, and where to look next.

use super::address;
use super::records::{Kind, ReasonAnswer, RecordAnswer, exponent, side};
use crate::caller::Caller;
use crate::page::{self, Cursor, Page};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use matching::{Confidence, ExceptionId, ExceptionKind, format_minor};
use serde::Serialize;
use shared::ids::JobId;
use shared::store::results::{StoredCandidate, StoredException};
use shared::store::text::Looked;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExceptionList {
    /// Only exceptions of this kind.
    kind: Option<Kind>,
    /// Only those with this in the id of a record or in one of its fields, in any letter case. A page looks at 20,000
    /// at most: it may be short, or empty, and have a `next` page all the same.
    #[param(min_length = 1, max_length = 200)]
    text: Option<String>,
    /// From the `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for ExceptionList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let kind = parameters.optional("kind", Parameters::choice);
        let text = parameters.optional("text", page::text);
        let after = parameters.optional("after", Cursor::read);
        Some(Self { kind, text, after, limit: page::limit(parameters) })
    }
}

/// A record without a match.
#[derive(Serialize, ToSchema)]
#[schema(as = Exception)]
pub(crate) struct ExceptionAnswer {
    /// `x_` and 32 hex digits: made from side and record id, so that it stays the same in every run.
    id: String,
    #[schema(value_type = Kind)]
    kind: String,
    /// `left` or `right`.
    side: String,
    currency: String,
    /// Decimal of major units, in text.
    amount: String,
    record: RecordAnswer,
    /// One plain sentence.
    says: String,
    /// Best first.
    candidates: Vec<CandidateAnswer>,
    /// There may have been more than are listed.
    candidates_found: i32,
}

/// A record, or a group, that might belong to the exception's record.
#[derive(Serialize, ToSchema)]
#[schema(as = Candidate)]
pub(crate) struct CandidateAnswer {
    side: String,
    currency: String,
    /// 0 to 1.
    confidence: f64,
    records: Vec<RecordAnswer>,
    reasons: Vec<ReasonAnswer>,
}

impl From<StoredException> for ExceptionAnswer {
    fn from(found: StoredException) -> Self {
        let exponent = exponent(&found.currency);
        Self {
            id: ExceptionId::of_id(kind(&found.kind), side(&found.side), &found.record.id).to_string(),
            kind: found.kind,
            side: found.side,
            amount: format_minor(found.amount.into(), exponent),
            record: RecordAnswer::new(found.record, exponent),
            says: found.says,
            candidates: found.candidates.into_iter().map(Into::into).collect(),
            candidates_found: found.candidates_found,
            currency: found.currency,
        }
    }
}

/// As stored; of a kind that a later version has, any will do.
fn kind(name: &str) -> ExceptionKind {
    ExceptionKind::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(ExceptionKind::Ambiguous)
}

impl From<StoredCandidate> for CandidateAnswer {
    fn from(candidate: StoredCandidate) -> Self {
        let exponent = exponent(&candidate.currency);
        Self {
            side: candidate.side,
            confidence: Confidence::from_f64(candidate.confidence).as_f64(),
            records: RecordAnswer::all(candidate.records, exponent),
            reasons: ReasonAnswer::all(candidate.reasons),
            currency: candidate.currency,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExceptionPage {
    /// By kind, side and line.
    items: Vec<ExceptionAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Exceptions of a completed reconciliation.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/exceptions", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path), ExceptionList),
    responses(
        (status = 200, description = "A page of exceptions", body = ExceptionPage),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_exceptions(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(query): Query<ExceptionList>,
) -> Result<Json<ExceptionPage>, Problem> {
    let (store, ..) = api.reading_results(&caller, id).await?;
    let kind = query.kind.map(Kind::as_str);
    let after = query.after.map(|cursor| cursor.0);
    let found = match &query.text {
        Some(text) => store.search_found_exceptions(id, text, kind, after, query.limit).await?,
        None => {
            let page = Page::cut(store.exceptions(id, kind, after, query.limit + 1).await?, query.limit);
            let resume_after = page.items.last().filter(|_| page.has_next).map(|last| last.ordinal);
            Looked { items: page.items, resume_after }
        }
    };
    let kept = [
        ("text", query.text.as_deref().map(crate::jobs::escaped)),
        ("kind", kind.map(str::to_owned)),
        ("limit", Some(query.limit.to_string())),
    ];
    let path = format!("{}/exceptions", address(id));
    let next = found.resume_after.map(|after| page::address_after(&path, &kept, Cursor(after)));
    Ok(Json(ExceptionPage { items: found.items.into_iter().map(Into::into).collect(), next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<ExceptionList>();
    }

    #[test]
    fn every_kind_may_be_asked_for_by_its_name() {
        for kind in ExceptionKind::ALL {
            let read: Kind = Parameters::choice(kind.as_str()).unwrap();
            assert_eq!(read.as_str(), kind.as_str());
        }
    }
}
