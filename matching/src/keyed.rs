//! Candidates one to one among records that share a key.

use crate::blocks::{self, Block};
use crate::candidates::{Candidates, PAIRS_MAX, Scope, best_of_each};
use crate::converted;
use crate::evidence::KeyEvidence;
use crate::keys::Fingerprint;
use crate::select::Pair;
use crate::twins::Node;
use crate::{Cancelled, Pulse, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Comparisons one block may take, beyond a few per record. A block with so many records of one key that
/// amount and date do not tell apart has no answer anyway.
pub(crate) const BLOCK_COMPARISONS_MAX: usize = 1 << 20;
pub(crate) const BLOCK_COMPARISONS_PER_RECORD: usize = 64;

pub(crate) fn find(scope: &Scope<'_>) -> Result<Candidates, Cancelled> {
    let tokens = scope.plan.keys.has_tokens();
    let (left, right) = (keys_of(scope, Side::Left)?, keys_of(scope, Side::Right)?);
    let pair_block = if scope.plan.exchange.is_some() { converted::pair_block } else { pair_block };
    let (gave_up, found) = (AtomicU64::new(0), AtomicU64::new(0));
    let visit = |block: Block<'_>, list: &mut Vec<Pair>| {
        let mut spread = 1;
        if tokens {
            spread = block.left.len().saturating_mul(block.right.len());
            if spread > KeyEvidence::SPREAD_MAX {
                return Ok(());
            }
        }
        let before = list.len();
        let full = found.load(Ordering::Relaxed) as usize > PAIRS_MAX;
        if full || !pair_block(scope, &block, KeyEvidence { spread: spread as u32 }, list)? {
            list.truncate(before);
            gave_up.fetch_add(1, Ordering::Relaxed);
        }
        found.fetch_add((list.len() - before) as u64, Ordering::Relaxed);
        Ok(())
    };
    let mut pairs = blocks::join(left, right, scope.watch, scope.advance, visit)?;
    if found.into_inner() as usize > PAIRS_MAX {
        // Which blocks came first is chance: none of them may count.
        return Ok(Candidates { gave_up: 1, ..Candidates::default() });
    }
    if tokens {
        pairs = best_of_each(pairs);
    }
    Ok(Candidates { pairs, right_frozen: vec![], gave_up: gave_up.into_inner() })
}

/// Key and node of every free node of a side that has the key.
fn keys_of(scope: &Scope<'_>, side: Side) -> Result<Vec<(Fingerprint, Node)>, Cancelled> {
    let rest = scope.remainder.side(side);
    let nodes = rest.free_nodes();
    let keys = nodes.par_chunks(4096).map(|nodes| {
        scope.watch.check()?;
        let (mut keys, mut found) = (Vec::with_capacity(nodes.len()), vec![]);
        for &node in nodes {
            let currency = scope.plan.exchange.is_none().then(|| rest.records.currency(node));
            scope.plan.keys.each(rest.records, side, node, currency, &mut found);
            keys.extend(found.iter().map(|&key| (key, node)));
        }
        Ok(keys)
    });
    Ok(keys.collect::<Result<Vec<_>, Cancelled>>()?.concat())
}

/// Adds the candidates of one block. `false` when there are too many comparisons: some are missing then.
fn pair_block(
    scope: &Scope<'_>,
    block: &Block<'_>,
    key: KeyEvidence,
    list: &mut Vec<Pair>,
) -> Result<bool, Cancelled> {
    let (left, right) = (scope.remainder.left.records, scope.remainder.right.records);
    let allowance = scope.plan.allowance.in_currency(left.currency(block.left[0]));
    let mut pulse = Pulse::new(scope.watch);
    if block.left.len() * block.right.len() <= BLOCK_COMPARISONS_PER_RECORD {
        for &l in block.left {
            for &r in block.right {
                list.extend(scope.candidate(&allowance, l, r, Some(key), &mut pulse)?);
            }
        }
        return Ok(true);
    }
    let mut comparisons_left =
        BLOCK_COMPARISONS_MAX + BLOCK_COMPARISONS_PER_RECORD * (block.left.len() + block.right.len());
    let mut by_amount: Vec<(i128, Node)> =
        block.right.iter().map(|&r| (allowance.adjusted(right.amount(r)), r)).collect();
    by_amount.sort_unstable();
    for &l in block.left {
        let reach = allowance.reach(left.amount(l));
        let start = by_amount.partition_point(|&(amount, _)| amount < *reach.start());
        for &(_, r) in by_amount[start..].iter().take_while(|&&(amount, _)| amount <= *reach.end()) {
            let Some(rest) = comparisons_left.checked_sub(1) else { return Ok(false) };
            comparisons_left = rest;
            list.extend(scope.candidate(&allowance, l, r, Some(key), &mut pulse)?);
        }
        pulse.beat(32)?;
    }
    Ok(true)
}
