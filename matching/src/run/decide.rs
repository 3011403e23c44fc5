//! From the candidates of one pass to its matches, and to what stays open.

use crate::candidates::{Candidates, Scope};
use crate::chance::Odds;
use crate::open::{Between, Open};
use crate::select::{Ends, Selection, Stakes, select};
use crate::settle;
use crate::summed::Summed;
use crate::{Cancelled, Confidence, Match};
use rayon::prelude::*;

/// From evidence to probability. What is not probable enough is not made.
pub(super) fn weigh(made: &mut Vec<Match>, odds: Odds, threshold: Confidence) {
    made.par_iter_mut().for_each(|m| m.confidence = odds.probability(m.confidence));
    made.retain(|m| m.confidence >= threshold);
}

/// What came of one pass.
pub(super) struct Decided {
    pub made: Vec<Match>,
    pub open: Open,
    pub gave_up: u64,
    /// See [`PassCount::beyond_bound`].
    pub beyond_bound: u64,
}

pub(super) fn decide(scope: &Scope<'_>, found: Candidates, margin: Confidence) -> Result<Decided, Cancelled> {
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    let ends = Ends {
        left_len: left.records.len(),
        right_len: right.records.len(),
        left_capacity: &|node| left.capacity(node),
        right_capacity: &|node| right.capacity(node),
        right_frozen: &|node| found.right_frozen.binary_search(&node).is_ok(),
    };
    let stakes = Stakes { threshold: scope.threshold, margin };
    let Selection { chosen, open, tied, beyond_bound } = select(found.pairs, &ends, stakes, scope.watch)?;
    let made = settle::pair_matches(scope, &chosen)?;
    let open = Open { plan: scope.plan.index.into(), pairs: open, tied, between: Between::Records };
    Ok(Decided { made, open, gave_up: found.gave_up, beyond_bound })
}

pub(super) fn decide_sums(
    scope: &Scope<'_>,
    found: Summed,
    margin: Confidence,
) -> Result<Decided, Cancelled> {
    let Summed { between, pairs, gave_up } = found;
    let (left_len, right_len) = match &between {
        Between::Records => (0, 0),
        Between::Sums { one, groups } => (scope.remainder.side(*one).records.len(), groups.len()),
        Between::Groups { left, right } => (left.len(), right.len()),
    };
    let first_capacity = |first: u32| match &between {
        Between::Sums { one, .. } => scope.remainder.side(*one).capacity(first),
        _ => 1,
    };
    let ends = Ends {
        left_len,
        right_len,
        left_capacity: &first_capacity,
        right_capacity: &|_| 1,
        right_frozen: &|_| false,
    };
    let stakes = Stakes { threshold: scope.threshold, margin };
    let Selection { chosen, open, tied, beyond_bound } = select(pairs, &ends, stakes, scope.watch)?;
    let made = settle::group_matches(scope, &between, &chosen)?;
    let between = if open.is_empty() { Between::Records } else { between };
    let open = Open { plan: scope.plan.index.into(), pairs: open, tied, between };
    Ok(Decided { made, open, gave_up, beyond_bound })
}
