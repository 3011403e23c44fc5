//! Pages of matches, best first.

use super::address;
use super::records::{ReasonAnswer, RecordAnswer, exponent};
use crate::caller::Caller;
use crate::page::{self, Cursor, Page};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use matching::{Confidence, MatchId, format_minor};
use serde::Serialize;
use shared::ids::JobId;
use shared::store::results::{StoredMatch, StoredRecord};
use shared::store::text::Looked;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MatchList {
    /// Only matches of at least this confidence.
    #[param(minimum = 0, maximum = 1)]
    min_confidence: Option<f64>,
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

impl ReadQuery for MatchList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let min_confidence = parameters.optional("min_confidence", Parameters::number(0.0..=1.0));
        let text = parameters.optional("text", page::text);
        let after = parameters.optional("after", Cursor::read);
        Some(Self { min_confidence, text, after, limit: page::limit(parameters) })
    }
}

/// Records that belong together.
#[derive(Serialize, ToSchema)]
#[schema(as = Match)]
pub(crate) struct MatchAnswer {
    /// `m_` and 32 hex digits: made from the ids of its records, so that it is the same in every run.
    id: String,
    /// 0 to 1, exact to a millionth.
    confidence: f64,
    /// `confirmed`, or `suggested` when a person should have a look.
    tier: String,
    /// Name of the pass that found it.
    pass: String,
    currency: String,
    /// Sums of the sides in this currency, and left minus right; decimals of major units, in text.
    left_amount: String,
    right_amount: String,
    difference: String,
    left: Vec<RecordAnswer>,
    right: Vec<RecordAnswer>,
    reasons: Vec<ReasonAnswer>,
    /// What a part payment leaves open; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    open_remainder: Option<RemainderAnswer>,
}

/// An open item of the next run, though its match is confirmed.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenRemainder)]
pub(crate) struct RemainderAnswer {
    /// `left` or `right`.
    side: String,
    /// The record that stays open in part.
    record_id: String,
    /// Decimal of major units, in text.
    amount: String,
}

impl MatchAnswer {
    pub fn new(found: StoredMatch, passes: &PassNames) -> Self {
        let exponent = exponent(&found.currency);
        // Sums of many records may be larger than any one amount.
        let sum = |records: &[StoredRecord]| {
            let in_currency = |record: &StoredRecord| {
                i128::from(record.foreign.as_ref().map_or(record.amount, |foreign| foreign.converted))
            };
            format_minor(records.iter().map(in_currency).sum(), exponent)
        };
        let id = MatchId::of_ids(ids(&found.left), ids(&found.right));
        let open_remainder = found.open_record().map(|(side, record, amount)| RemainderAnswer {
            side: side.to_owned(),
            record_id: record.id.clone(),
            amount: format_minor(amount.into(), exponent),
        });
        Self {
            id: id.to_string(),
            open_remainder,
            confidence: confidence(found.confidence).as_f64(),
            pass: passes.name(found.pass).to_owned(),
            left_amount: sum(&found.left),
            right_amount: sum(&found.right),
            difference: format_minor(found.difference.into(), exponent),
            left: RecordAnswer::all(found.left, exponent),
            right: RecordAnswer::all(found.right, exponent),
            reasons: ReasonAnswer::all(found.reasons),
            tier: found.tier,
            currency: found.currency,
        }
    }
}

fn ids(records: &[StoredRecord]) -> impl Iterator<Item = &str> {
    records.iter().map(|record| record.id.as_str())
}

/// From millionths as stored; the table's constraint keeps them in range.
pub(crate) fn confidence(millionths: i32) -> Confidence {
    u32::try_from(millionths).ok().and_then(Confidence::from_millionths).unwrap_or_default()
}

/// The names of the passes, from the rules as they were at submission.
#[derive(Clone)]
pub(crate) struct PassNames(std::sync::Arc<[String]>);

impl PassNames {
    pub fn of(rules: &serde_json::Value) -> Self {
        // Netting rules count on behind the passes.
        let named = ["pass", "netting"].into_iter().filter_map(|key| rules[key].as_array()).flatten();
        Self(named.map(|rule| rule["name"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// The number of a pass, from its name.
    pub fn number(&self, name: &str) -> Option<i16> {
        self.0.iter().position(|known| known == name).and_then(|number| i16::try_from(number).ok())
    }

    pub fn name(&self, pass: i16) -> &str {
        usize::try_from(pass).ok().and_then(|pass| self.0.get(pass)).map_or("", String::as_str)
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MatchPage {
    /// Best first.
    items: Vec<MatchAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Matches of a completed reconciliation, best first.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/results", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path), MatchList),
    responses(
        (status = 200, description = "A page of matches", body = MatchPage),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_matches(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<JobId>,
    Query(query): Query<MatchList>,
) -> Result<Json<MatchPage>, Problem> {
    let (store, reconciliation, _) = api.reading_results(&caller, id).await?;
    let confidence_min = Confidence::from_f64(query.min_confidence.unwrap_or(0.0)).millionths() as i32;
    let after = query.after.map(|cursor| cursor.0);
    let found = match &query.text {
        Some(text) => store.search_matches(id, text, after, confidence_min, query.limit).await?,
        None => {
            let page =
                Page::cut(store.matches(id, after, confidence_min, query.limit + 1).await?, query.limit);
            let resume_after = page.items.last().filter(|_| page.has_next).map(|last| last.ordinal);
            Looked { items: page.items, resume_after }
        }
    };
    let kept = [
        ("text", query.text.as_deref().map(crate::jobs::escaped)),
        ("min_confidence", query.min_confidence.map(|min| min.to_string())),
        ("limit", Some(query.limit.to_string())),
    ];
    let path = format!("{}/results", address(id));
    let next = found.resume_after.map(|after| page::address_after(&path, &kept, Cursor(after)));
    let passes = PassNames::of(&reconciliation.rules);
    let items = found.items.into_iter().map(|found| MatchAnswer::new(found, &passes)).collect();
    Ok(Json(MatchPage { items, next }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::MatchList>();
    }
}
