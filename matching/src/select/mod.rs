//! Which candidate pairs become matches: the best choice of all that can be made together.
//!
//! A choice takes each record at most once. Its worth is the confidence of its pairs as far as it is above
//! the threshold, in millionths, so that two doubtful pairs do not outweigh a sure one. A pair is *chosen*
//! when every choice whose worth is within the margin of the best has it: to leave it out costs more than
//! the margin (its regret). Pairs that some but not all of these choices have are *tied*, and never decided
//! here. Identical records are one node with a capacity; of such a pair as many are chosen as all near
//! best choices have.
//!
//! Pairs compete only where they are connected, so each connected piece is solved by itself, in parallel.
//! A piece of up to [`NODES_MAX`] nodes and [`RECORDS_MAX`] records a side is solved exactly ([`exact`]);
//! beyond that, and where not all candidates of a record are known, only what is clearly the best of both
//! its ends is chosen ([`clear`]). What is chosen is a property of the pairs alone: neither their order nor
//! the number of threads changes it.

mod certain;
mod clear;
mod exact;
mod pieces;
mod walks;

use crate::{Cancelled, Confidence, Pulse, Watch};
use pieces::{Piece, Pieces};
use rayon::prelude::*;

/// Nodes of either side of a piece that is solved exactly.
pub(crate) const NODES_MAX: usize = 200;
/// Records of either side that these nodes may stand for, as far as the other side could take them.
pub(crate) const RECORDS_MAX: u64 = 1_000;

/// A candidate pair of nodes: records with their twins, or in passes of sums a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub left: u32,
    pub right: u32,
    pub confidence: Confidence,
    /// See [`crate::evidence::KeyEvidence::spread`].
    pub spread: u32,
}

/// `count` records of each end of the pair belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub pair: Pair,
    pub count: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub chosen: Vec<Chosen>,
    /// Pairs with free records at both ends that were not chosen.
    pub open: Vec<Pair>,
    /// Those of them that a person must decide between. There is one wherever there are open pairs.
    pub tied: Vec<Pair>,
    /// Pieces that were too large to be solved exactly.
    pub beyond_bound: u64,
}

impl Selection {
    fn append(&mut self, mut other: Selection) {
        self.chosen.append(&mut other.chosen);
        self.open.append(&mut other.open);
        self.tied.append(&mut other.tied);
        self.beyond_bound += other.beyond_bound;
    }
}

/// What [`select`] must know about the ends of pairs. Node numbers are below the two lengths.
pub(crate) struct Ends<'a> {
    pub left_len: usize,
    pub right_len: usize,
    /// Free records of a node.
    pub left_capacity: &'a (dyn Fn(u32) -> u32 + Sync),
    pub right_capacity: &'a (dyn Fn(u32) -> u32 + Sync),
    /// Right nodes some of whose candidates are not among the pairs: never chosen, but they do compete.
    pub right_frozen: &'a (dyn Fn(u32) -> bool + Sync),
}

/// What a pair must be worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stakes {
    /// No pair is below.
    pub threshold: Confidence,
    /// See [`crate::RuleSet::ambiguity_margin`].
    pub margin: Confidence,
}

impl Stakes {
    /// What the pair adds to a choice. More than the margin also at the threshold, so that leaving two
    /// records alone is never as good as a pair that nothing competes with.
    fn worth(self, pair: &Pair) -> i64 {
        let above = i64::from(pair.confidence.millionths()) - i64::from(self.threshold.millionths());
        above.max(0) + i64::from(self.margin.millionths()) + 1
    }
}

/// `pairs`: each at most once, in any order.
///
/// Work: linear in the pairs, and for each exact piece at most `records * pairs` steps to solve it and
/// `nodes * pairs` to see what is certain: 200 nodes with 40,000 pairs take a fraction of a second.
pub(crate) fn select(
    pairs: Vec<Pair>,
    ends: &Ends<'_>,
    stakes: Stakes,
    watch: Watch<'_>,
) -> Result<Selection, Cancelled> {
    let mut pulse = Pulse::new(watch);
    let (mut left_degree, mut right_degree) = (vec![0u32; ends.left_len], vec![0u32; ends.right_len]);
    for pair in &pairs {
        left_degree[pair.left as usize] += 1;
        right_degree[pair.right as usize] += 1;
        pulse.beat(1)?;
    }
    let mut selection = Selection::default();
    let mut contested = vec![];
    for pair in pairs {
        pulse.beat(1)?;
        let alone = left_degree[pair.left as usize] == 1 && right_degree[pair.right as usize] == 1;
        if !alone || (ends.right_frozen)(pair.right) {
            contested.push(pair);
            continue;
        }
        let count = (ends.left_capacity)(pair.left).min((ends.right_capacity)(pair.right));
        if count > 0 {
            selection.chosen.push(Chosen { pair, count });
        }
    }
    if contested.is_empty() {
        return Ok(selection);
    }
    let pieces = Pieces::of(contested, (left_degree, right_degree), &mut pulse)?;
    let lists = pieces.ranges.par_chunks(256).map(|ranges| {
        let (mut selection, mut pulse) = (Selection::default(), Pulse::new(watch));
        for range in ranges {
            let piece = Piece::of(&pieces.pairs[range.clone()], ends, stakes.margin);
            settle(piece, stakes, &mut selection, &mut pulse)?;
        }
        Ok(selection)
    });
    for list in lists.collect::<Result<Vec<_>, Cancelled>>()? {
        selection.append(list);
    }
    Ok(selection)
}

fn settle(
    piece: Piece,
    stakes: Stakes,
    selection: &mut Selection,
    pulse: &mut Pulse<'_>,
) -> Result<(), Cancelled> {
    if piece.is_frozen() {
        return clear::select(piece, selection, pulse);
    }
    if piece.is_large() {
        selection.beyond_bound += 1;
        return clear::select(piece, selection, pulse);
    }
    exact::select(&piece, stakes, selection, pulse)
}

#[cfg(test)]
mod tests;
