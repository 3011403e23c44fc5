//! How far the review of a run is, and that no money was lost on the way.

use super::answers::ExceptionStateWord;
use crate::problem::{Problem, ProblemDocument};
use crate::read::PathId;
use crate::reconciliation::{Kind, exponent};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use matching::format_minor;
use serde::Serialize;
use shared::ids::JobId;
use shared::store::reconciliations::CurrencyBalance;
use shared::store::review::{PlaceSum, ReviewCounts};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where the money of one side and currency is now: `total = matched + matched_by_hand + written_off + open`, each
/// counted from another table.
#[derive(Serialize, ToSchema)]
#[schema(as = ReviewBalance)]
pub(crate) struct BalanceAnswer {
    /// `left` or `right`.
    side: String,
    currency: String,
    /// Of the records that were read; decimals of major units, in text.
    total: String,
    /// In found matches, less those that were rejected or taken apart.
    matched: String,
    matched_by_hand: String,
    written_off: String,
    open: String,
    /// Of `open`, what an earlier run of the chain has matched.
    already_matched: String,
    /// Zero, or money is unaccounted for.
    residual: String,
    open_records: i64,
    by_hand_records: i64,
    written_off_records: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewKindCount)]
pub(crate) struct KindAnswer {
    #[schema(value_type = Kind)]
    kind: String,
    state: ExceptionStateWord,
    currency: String,
    count: i64,
    amount: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewAssigneeCount)]
pub(crate) struct AssigneeAnswer {
    /// Null: nobody.
    user_id: Option<Uuid>,
    name: Option<String>,
    count: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewAgeCount)]
pub(crate) struct AgeAnswer {
    days_from: i32,
    /// Null: and older.
    days_through: Option<i32>,
    count: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub(crate) struct ReviewAnswer {
    /// By currency and side.
    balance: Vec<BalanceAnswer>,
    /// Exceptions by kind, state and currency.
    by_kind: Vec<KindAnswer>,
    /// Open exceptions by whose they are.
    by_assignee: Vec<AssigneeAnswer>,
    /// Open exceptions by the days since their record's own day.
    by_age: Vec<AgeAnswer>,
    /// Decisions that wait for a second person.
    waiting: i64,
    /// Suggested matches about which nobody has decided; 100000 means that or more.
    suggested_open: i64,
    /// Suggested matches of the run.
    suggested: i64,
}

/// How far the review is: the balance proof after it, and what is left to do.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/review", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The figures", body = ReviewAnswer),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn show_review(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<ReviewAnswer>, Problem> {
    let (_, summary) = api.completed(id).await?;
    let proof = api.store.review_proof(id).await?;
    let counts = api.store.review_counts(id, api.clock.now().date_naive()).await?;
    let ReviewCounts { by_kind, by_assignee, by_age, waiting, suggested_open } = counts;
    Ok(Json(ReviewAnswer {
        balance: balance(&summary.balance, &proof.places),
        by_kind: by_kind
            .into_iter()
            .map(|count| KindAnswer {
                kind: count.kind,
                state: count.state.into(),
                count: count.count,
                amount: format_minor(count.amount.0, exponent(&count.currency)),
                currency: count.currency,
            })
            .collect(),
        by_assignee: by_assignee
            .into_iter()
            .map(|count| AssigneeAnswer {
                user_id: count.user_id.map(|user| user.0),
                name: count.name,
                count: count.count,
            })
            .collect(),
        by_age: by_age
            .into_iter()
            .map(|count| AgeAnswer {
                days_from: count.days_from,
                days_through: count.days_through,
                count: count.count,
            })
            .collect(),
        waiting,
        suggested_open,
        suggested: summary.suggested,
    }))
}

/// The run's own balance, and what review made of it.
fn balance(found: &[CurrencyBalance], places: &[PlaceSum]) -> Vec<BalanceAnswer> {
    // Currencies of the run first; a place in any other one would be money from nowhere, and shows.
    let mut rows: BTreeMap<(String, String), (i128, i128)> = BTreeMap::new();
    for b in found {
        let both = [("left", &b.left_total, &b.left_matched), ("right", &b.right_total, &b.right_matched)];
        for (side, total, matched) in both {
            rows.insert((b.currency.clone(), side.to_owned()), (minor_of(total), minor_of(matched)));
        }
    }
    for place in places {
        rows.entry((place.currency.clone(), place.side.clone())).or_default();
    }
    let of = |((currency, side), (total, matched)): ((String, String), (i128, i128))| {
        let place = places.iter().find(|place| place.currency == currency && place.side == side);
        let sum = |of: fn(&PlaceSum) -> i128| place.map_or(0, of);
        let count = |of: fn(&PlaceSum) -> i64| place.map_or(0, of);
        let matched = matched - sum(|place| place.undone.0);
        let (by_hand, written_off) = (sum(|place| place.by_hand.0), sum(|place| place.written_off.0));
        let open = sum(|place| place.open.0);
        let money = |minor: i128| format_minor(minor, exponent(&currency));
        BalanceAnswer {
            total: money(total),
            matched: money(matched),
            matched_by_hand: money(by_hand),
            written_off: money(written_off),
            open: money(open),
            already_matched: money(sum(|place| place.repeated.0)),
            residual: money(total - matched - by_hand - written_off - open),
            open_records: count(|place| place.open_records),
            by_hand_records: count(|place| place.by_hand_records),
            written_off_records: count(|place| place.written_off_records),
            side,
            currency,
        }
    };
    rows.into_iter().map(of).collect()
}

/// As `format_minor` wrote it: every digit behind the point is there.
fn minor_of(text: &str) -> i128 {
    text.replace('.', "").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back() {
        for minor in [0i128, 1, -1, 99, -250, 1_234_567_890_123_456_789_012] {
            assert_eq!(minor_of(&format_minor(minor, 2)), minor);
            assert_eq!(minor_of(&format_minor(minor, 0)), minor);
        }
    }
}
