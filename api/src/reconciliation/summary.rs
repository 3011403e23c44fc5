//! The figures of a completed reconciliation, with the proof that no money is missing.

use super::open_items::OpenItemsAnswer;
use crate::problem::{Problem, ProblemDocument};
use crate::read::PathId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::ids::JobId;
use shared::store::open_items::OpenItemsSummary;
use shared::store::reconciliations::{CurrencyBalance, PassSummary, Summary};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every record is in exactly one match or one exception:
/// `left_matched + right_matched + exceptions = left_records + right_records`.
#[derive(Serialize, ToSchema)]
#[schema(as = Summary)]
pub(crate) struct SummaryAnswer {
    left_records: i64,
    right_records: i64,
    /// Records of the left side inside matches.
    left_matched: i64,
    right_matched: i64,
    matches: i64,
    /// Of the matches, those that wait for a person's word.
    suggested: i64,
    exceptions: i64,
    /// Lines that could not be read as records.
    left_rejected: i64,
    right_rejected: i64,
    /// By currency.
    balance: Vec<Balance>,
    /// Kinds without exceptions are absent.
    exceptions_by_kind: BTreeMap<String, i64>,
    /// In the order of the rule set.
    passes: Vec<Pass>,
    /// Null where an older version completed the job.
    open_items: Option<OpenItemsAnswer>,
}

impl SummaryAnswer {
    pub fn new(summary: Summary, open_items: Option<OpenItemsSummary>) -> Self {
        Self { open_items: open_items.map(Into::into), ..summary.into() }
    }
}

/// The balance proof of one currency: decimals of major units, in text so that no reader rounds money.
#[derive(Serialize, ToSchema)]
struct Balance {
    currency: String,
    left_count: u64,
    right_count: u64,
    left_total: String,
    right_total: String,
    left_matched: String,
    right_matched: String,
    left_unmatched: String,
    right_unmatched: String,
    /// What tolerances let through inside matches.
    matched_difference: String,
    /// The part of `right_matched` that was matched with its sign flipped; `difference` includes it twice.
    right_flipped: String,
    /// The part of `left_matched` that stays open after part payments.
    open_remainder_left: String,
    open_remainder_right: String,
    /// What was compared in another currency, and what arrived here from others: left amounts less right ones.
    converted_out: String,
    converted_in: String,
    /// The part of `matched_difference` that matches with converted amounts left.
    converted_difference: String,
    /// Left minus right.
    difference: String,
    /// What of `difference` nothing explains: zero, or money is unaccounted for.
    residual: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PassSummary)]
struct Pass {
    name: String,
    matches: u64,
    left_records: u64,
    right_records: u64,
    /// Blocks left to later passes because they hit a limit of work.
    gave_up: u64,
    /// Connected pieces too large for the best choice of all; only clear pairs were matched there.
    beyond_bound: u64,
}

impl From<Summary> for SummaryAnswer {
    fn from(summary: Summary) -> Self {
        Self {
            left_records: summary.left_records,
            right_records: summary.right_records,
            left_matched: summary.left_matched,
            right_matched: summary.right_matched,
            matches: summary.matches,
            suggested: summary.suggested,
            exceptions: summary.exceptions,
            left_rejected: summary.left_rejected,
            right_rejected: summary.right_rejected,
            balance: summary.balance.into_iter().map(Into::into).collect(),
            exceptions_by_kind: summary.exceptions_by_kind,
            passes: summary.passes.into_iter().map(Into::into).collect(),
            open_items: None,
        }
    }
}

impl From<CurrencyBalance> for Balance {
    fn from(balance: CurrencyBalance) -> Self {
        Self {
            currency: balance.currency,
            left_count: balance.left_count,
            right_count: balance.right_count,
            left_total: balance.left_total,
            right_total: balance.right_total,
            left_matched: balance.left_matched,
            right_matched: balance.right_matched,
            left_unmatched: balance.left_unmatched,
            right_unmatched: balance.right_unmatched,
            matched_difference: balance.matched_difference,
            right_flipped: balance.right_flipped,
            open_remainder_left: balance.open_remainder_left,
            open_remainder_right: balance.open_remainder_right,
            converted_out: balance.converted_out,
            converted_in: balance.converted_in,
            converted_difference: balance.converted_difference,
            difference: balance.difference,
            residual: balance.residual,
        }
    }
}

impl From<PassSummary> for Pass {
    fn from(pass: PassSummary) -> Self {
        Self {
            name: pass.name,
            matches: pass.matches,
            left_records: pass.left_records,
            right_records: pass.right_records,
            gave_up: pass.gave_up,
            beyond_bound: pass.beyond_bound,
        }
    }
}

/// The figures of a completed reconciliation and its balance proof.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/summary", tag = "reconciliation",
    security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 200, description = "The summary", body = SummaryAnswer),
        (status = 409, description = "It has not completed", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn show_summary(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<SummaryAnswer>, Problem> {
    let (reconciliation, summary) = api.completed(id).await?;
    Ok(Json(SummaryAnswer::new(summary, reconciliation.open_items)))
}
