//! Candidates one to one among records that share a key.

use crate::blocks::{self, Block};
use crate::candidates::{Candidates, PAIRS_MAX, Scope, best_of_each};
use crate::converted;
use crate::evidence::KeyEvidence;
use crate::keys::{Fingerprint, FingerprintHints};
use crate::select::Pair;
use crate::twins::Node;
use crate::{Cancelled, Pulse, Side};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Comparisons one block may take, beyond a few per record. A block with so many records of one key that
/// amount and date do not tell apart has no answer anyway.
pub(crate) const BLOCK_COMPARISONS_MAX: usize = 1 << 20;
pub(crate) const BLOCK_COMPARISONS_PER_RECORD: usize = 64;

/// Times that a pass may go over the records.
const PARTS_MAX: u64 = 64;

pub(crate) fn find(scope: &Scope<'_>) -> Result<Candidates, Cancelled> {
    let tokens = scope.plan.keys.has_tokens();
    let nodes = [Side::Left, Side::Right].map(|side| scope.remainder.side(side).free_nodes());
    if nodes.iter().any(Vec::is_empty) {
        return Ok(Candidates::default());
    }
    let parts = parts_of(scope, nodes[0].len() + nodes[1].len());
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
    let mut pairs = vec![];
    for part in 0..parts {
        let [left, right] = keys_of_both(scope, &nodes, (part, parts))?;
        let advance = |share: f64| (scope.advance)((part as f64 + share) / parts as f64);
        let mut found = blocks::join(left, right, scope.watch, &advance, visit)?;
        if pairs.is_empty() {
            pairs = found;
        } else {
            pairs.append(&mut found);
        }
    }
    if found.into_inner() as usize > PAIRS_MAX {
        // Which blocks came first is chance: none of them may count.
        return Ok(Candidates { gave_up: 1, ..Candidates::default() });
    }
    if tokens {
        let best = best_of_each(pairs, scope.watch)?;
        let agreed = best.par_chunks(4096).map(|pairs| {
            scope.watch.check()?;
            Ok(pairs.iter().filter_map(|&pair| scope.agreed(pair)).collect::<Vec<_>>())
        });
        pairs = agreed.collect::<Result<Vec<_>, Cancelled>>()?.concat();
    }
    Ok(Candidates { pairs, right_frozen: vec![], gave_up: gave_up.into_inner() })
}

/// In how many parts the keys are joined, so that those of one part are within the working set.
fn parts_of(scope: &Scope<'_>, nodes: usize) -> u64 {
    // A list of keys, and the same in the order of its partitions.
    let node_bytes = 2 * size_of::<(Fingerprint, Node)>() as u64;
    // A text with a reference has about so many tokens.
    let keys = if scope.plan.keys.has_tokens() { 4 } else { 1 };
    let parts = (nodes as u64 * keys * node_bytes).div_ceil(scope.working_set.keys_bytes_max.max(1));
    parts.clamp(1, PARTS_MAX)
}

/// A side with so many times the records of the other has hardly any keys that are asked for.
const FEW_AGAINST_MANY: usize = 4;

/// The keys of each side in the part. Where a few records meet many, as new ones meet a year of open items, only the
/// keys that the few may have.
fn keys_of_both(
    scope: &Scope<'_>,
    nodes: &[Vec<Node>; 2],
    part: (u64, u64),
) -> Result<[Vec<(Fingerprint, Node)>; 2], Cancelled> {
    let sides = [Side::Left, Side::Right];
    let few = usize::from(nodes[1].len() < nodes[0].len());
    let many = 1 - few;
    let of_few = keys_of(scope, sides[few], &nodes[few], part, None)?;
    if of_few.is_empty() {
        // A field that a side leaves empty: nobody can share it, and the many need not be read.
        return Ok([vec![], vec![]]);
    }
    let is_lopsided = nodes[many].len() >= FEW_AGAINST_MANY * nodes[few].len();
    let hints = is_lopsided.then(|| FingerprintHints::of(of_few.iter().map(|&(key, _)| key), of_few.len()));
    let of_many = keys_of(scope, sides[many], &nodes[many], part, hints.as_ref())?;
    Ok(if few == 0 { [of_few, of_many] } else { [of_many, of_few] })
}

/// Key and node of every node of a side that has the key, as far as the key is in the part and may be among the
/// wanted ones.
fn keys_of(
    scope: &Scope<'_>,
    side: Side,
    nodes: &[Node],
    (part, parts): (u64, u64),
    wanted: Option<&FingerprintHints>,
) -> Result<Vec<(Fingerprint, Node)>, Cancelled> {
    let rest = scope.remainder.side(side);
    // Not the bits by which the join makes partitions of its own.
    let is_in_part = |key: &Fingerprint| {
        (parts == 1 || (key.spread() >> 40) % parts == part) && wanted.is_none_or(|hints| hints.may_have(key))
    };
    let keys = nodes.par_chunks(4096).map(|nodes| {
        scope.watch.check()?;
        let room = if parts == 1 && wanted.is_none() { nodes.len() } else { 0 };
        let (mut keys, mut found) = (Vec::with_capacity(room), vec![]);
        for &node in nodes {
            let currency = scope.plan.exchange.is_none().then(|| rest.records.currency(node));
            scope.plan.keys.each(rest.records, side, node, currency, &mut found);
            keys.extend(found.iter().filter(|key| is_in_part(key)).map(|&key| (key, node)));
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
