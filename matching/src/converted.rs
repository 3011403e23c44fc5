//! Candidates between different currencies: the left amount in each currency of the right side, then the same
//! search by amount as in one currency.

use crate::blocks::Block;
use crate::candidates::Scope;
use crate::evidence::KeyEvidence;
use crate::keyed::{BLOCK_COMPARISONS_MAX, BLOCK_COMPARISONS_PER_RECORD};
use crate::select::Pair;
use crate::tolerance::CurrencyAllowance;
use crate::twins::Node;
use crate::{Cancelled, Currency, Pulse};

/// The amounts to look for on the right side: the left one's own, and in a pass that converts what it is worth in
/// every other currency that has a rate.
pub(crate) fn targets<'s>(
    scope: &'s Scope<'_>,
    left: Node,
) -> impl Iterator<Item = (Currency, i64, CurrencyAllowance<'s>)> {
    let records = scope.remainder.left.records;
    let (amount, from, day) = (records.amount(left), records.currency(left), records.date(left));
    let own = (from, amount, scope.plan.allowance.in_currency(from));
    let others = scope.plan.exchange.iter().flat_map(move |exchange| {
        exchange.rates.currencies_for(from).filter_map(move |to| {
            let converted = exchange.rates.convert(amount, from, to, day)?;
            Some((to, converted.amount, exchange.allowance.in_currency(to)))
        })
    });
    std::iter::once(own).chain(others)
}

/// Adds the candidates of one block of a key, whatever their currencies. `false` when there are too many
/// comparisons: some are missing then.
pub(crate) fn pair_block(
    scope: &Scope<'_>,
    block: &Block<'_>,
    key: KeyEvidence,
    list: &mut Vec<Pair>,
) -> Result<bool, Cancelled> {
    let right = scope.remainder.right.records;
    let mut pulse = Pulse::new(scope.watch);
    let mut comparisons_left =
        BLOCK_COMPARISONS_MAX + BLOCK_COMPARISONS_PER_RECORD * (block.left.len() + block.right.len());
    let mut by_amount: Vec<(Currency, i64, Node)> =
        block.right.iter().map(|&r| (right.currency(r), right.amount(r), r)).collect();
    by_amount.sort_unstable();
    for &l in block.left {
        for (currency, amount, allowance) in targets(scope, l) {
            let reach = allowance.reach(amount);
            // Back to the signs of the file: the same reach, mirrored where signs are flipped.
            let (low, high) = match allowance.adjusted(1) {
                1 => (*reach.start(), *reach.end()),
                _ => (-*reach.end(), -*reach.start()),
            };
            let start = by_amount.partition_point(|&(c, a, _)| (c, i128::from(a)) < (currency, low));
            let near =
                by_amount[start..].iter().take_while(|&&(c, a, _)| c == currency && i128::from(a) <= high);
            for &(_, other, r) in near {
                let Some(rest) = comparisons_left.checked_sub(1) else { return Ok(false) };
                comparisons_left = rest;
                let distance = allowance.distance(amount.into(), other.into());
                list.extend(scope.candidate_of(distance, l, r, Some(key), &mut pulse)?);
            }
            pulse.beat(16)?;
        }
    }
    Ok(true)
}
