//! The account of open items inside a summary.

use super::records::FirstSeenAnswer;
use serde::Serialize;
use shared::store::open_items::{CountAndAmount, OpenItemsAge, OpenItemsFlow, OpenItemsSummary};
use utoipa::ToSchema;

/// Open items are records without a confirmed match: those in exceptions and in suggested matches.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenItems)]
pub(crate) struct OpenItemsAnswer {
    /// From the run that this one continues.
    carried_in: i64,
    /// Of those, now in confirmed matches.
    resolved: i64,
    /// Of those, still open.
    persisting: i64,
    /// Records of this run's files that stay open.
    new: i64,
    /// Records in confirmed matches of which a part stays open.
    remainders: i64,
    /// Records of this run's files that an earlier run has matched: exceptions of kind `already_matched`.
    already_matched: i64,
    /// Records of this run's files that were open items already.
    repeated: i64,
    /// Of those, the ones whose contents changed; see the rejected lines.
    restated: i64,
    /// By side and currency.
    flow: Vec<FlowAnswer>,
    /// What stays open by the run that first had it, oldest first; the newest runs are together behind the 99th.
    ages: Vec<AgeAnswer>,
}

/// `before + restated + new - matched + remainder = after`.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenItemsFlow)]
pub(crate) struct FlowAnswer {
    /// `left` or `right`.
    side: String,
    currency: String,
    before: AmountAnswer,
    restated: AmountAnswer,
    new: AmountAnswer,
    matched: AmountAnswer,
    /// Of `matched`, what stays open after part payments.
    remainder: AmountAnswer,
    after: AmountAnswer,
    resolved: AmountAnswer,
    persisting: AmountAnswer,
    already_matched: AmountAnswer,
    residual: AmountAnswer,
}

/// Records, and what they add up to: a decimal of major units, in text so that no reader rounds it.
#[derive(Serialize, ToSchema)]
#[schema(as = CountAndAmount)]
pub(crate) struct AmountAnswer {
    count: i64,
    amount: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenItemsAge)]
pub(crate) struct AgeAnswer {
    first_seen: FirstSeenAnswer,
    left: i64,
    right: i64,
}

impl From<OpenItemsSummary> for OpenItemsAnswer {
    fn from(items: OpenItemsSummary) -> Self {
        Self {
            carried_in: items.carried_in,
            resolved: items.resolved,
            persisting: items.persisting,
            new: items.new,
            remainders: items.remainders,
            already_matched: items.already_matched,
            repeated: items.repeated,
            restated: items.restated,
            flow: items.flow.into_iter().map(Into::into).collect(),
            ages: items.ages.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<OpenItemsFlow> for FlowAnswer {
    fn from(flow: OpenItemsFlow) -> Self {
        Self {
            side: flow.side,
            currency: flow.currency,
            before: flow.before.into(),
            restated: flow.restated.into(),
            new: flow.new.into(),
            matched: flow.matched.into(),
            remainder: flow.remainder.into(),
            after: flow.after.into(),
            resolved: flow.resolved.into(),
            persisting: flow.persisting.into(),
            already_matched: flow.already_matched.into(),
            residual: flow.residual.into(),
        }
    }
}

impl From<CountAndAmount> for AmountAnswer {
    fn from(sum: CountAndAmount) -> Self {
        Self { count: sum.count, amount: sum.amount }
    }
}

impl From<OpenItemsAge> for AgeAnswer {
    fn from(age: OpenItemsAge) -> Self {
        Self { first_seen: age.first_seen.into(), left: age.left, right: age.right }
    }
}
