//! The rule for pieces that are too large to solve: pairs that are the best of both their ends, clearly.
//!
//! A pair is chosen when, at each end, every other candidate is worse by more than the margin, or when all
//! candidates that are not worse fit into the end at once (it stands for several identical records, so
//! that there is no choice to make). A chosen pair frees its neighbours from competition; this repeats
//! until nothing changes. Choosing one pair never makes another unchoosable, so the end result does not
//! depend on the order in which pairs are looked at.
//!
//! Nothing is chosen here that an end would rather exchange, but a whole that is better together is not seen.

use super::{Chosen, Pair, Piece, Selection};
use crate::keys::RowMap;
use crate::{Cancelled, Confidence, Pulse};

/// Work: the sorting of the pairs, and for each record chosen one look at the candidates of its neighbours.
pub(super) fn select(
    piece: Piece,
    selection: &mut Selection,
    pulse: &mut Pulse<'_>,
) -> Result<(), Cancelled> {
    let before = selection.open.len();
    let margin = piece.margin;
    Contest::new(piece, pulse)?.settle(selection, pulse)?;
    let tied = contended(&selection.open[before..], margin);
    selection.tied.extend(tied);
    Ok(())
}

/// Pairs that are among the best (within the margin) of both their ends: the ties a person must decide.
/// A non-empty list has at least one.
pub(super) fn contended(open: &[Pair], margin: Confidence) -> Vec<Pair> {
    let (mut best_left, mut best_right) = (RowMap::default(), RowMap::default());
    for pair in open {
        for (best, node) in [(&mut best_left, pair.left), (&mut best_right, pair.right)] {
            let best = best.entry(node).or_insert(pair.confidence);
            *best = pair.confidence.max(*best);
        }
    }
    let near =
        |best: Confidence, own: Confidence| best.millionths() <= own.millionths() + margin.millionths();
    let keep = |p: &&Pair| near(best_left[&p.left], p.confidence) && near(best_right[&p.right], p.confidence);
    open.iter().filter(keep).copied().collect()
}

/// The graph of the pairs that share an end with another one. Left and right nodes are numbered together.
struct Contest {
    pairs: Vec<Pair>,
    margin: u32,
    /// `edges[starts[n]..starts[n + 1]]`: (pair, other end), most confident first.
    edges: Vec<(u32, u32)>,
    starts: Vec<usize>,
    /// Before this index (from `starts[n]`) all other ends are used up.
    heads: Vec<usize>,
    capacity: Vec<u32>,
    frozen: Vec<bool>,
}

impl Contest {
    fn new(piece: Piece, pulse: &mut Pulse<'_>) -> Result<Self, Cancelled> {
        let Piece { pairs, ends, lefts, capacity, frozen, margin } = piece;
        let nodes = capacity.len();
        let mut by_node: Vec<(u32, u32, u32)> = Vec::with_capacity(pairs.len() * 2);
        for (i, &(left, right)) in ends.iter().enumerate() {
            let right = right + lefts;
            by_node.push((left, i as u32, right));
            by_node.push((right, i as u32, left));
        }
        pulse.beat(pairs.len() as u32)?;
        by_node.sort_unstable_by_key(|&(n, i, _)| (n, std::cmp::Reverse(pairs[i as usize].confidence), i));
        pulse.beat(u32::MAX)?;
        let mut starts = vec![0; nodes + 1];
        by_node.iter().for_each(|&(n, _, _)| starts[n as usize + 1] += 1);
        (0..nodes).for_each(|n| starts[n + 1] += starts[n]);
        let edges = by_node.into_iter().map(|(_, pair, other)| (pair, other)).collect();
        let (margin, heads) = (margin.millionths(), vec![0; nodes]);
        Ok(Contest { pairs, margin, edges, starts, heads, capacity, frozen })
    }

    fn settle(mut self, selection: &mut Selection, pulse: &mut Pulse<'_>) -> Result<(), Cancelled> {
        let nodes = self.capacity.len() as u32;
        let mut waiting: Vec<u32> = (0..nodes).collect();
        let mut is_waiting = vec![true; nodes as usize];
        while let Some(node) = waiting.pop() {
            is_waiting[node as usize] = false;
            while let Some((pair, other)) = self.choice_of(node, pulse)? {
                let count = self.capacity[node as usize].min(self.capacity[other as usize]);
                self.capacity[node as usize] -= count;
                self.capacity[other as usize] -= count;
                selection.chosen.push(Chosen { pair: self.pairs[pair as usize], count });
                let mut wake = |n: u32| {
                    if !is_waiting[n as usize] {
                        is_waiting[n as usize] = true;
                        waiting.push(n);
                    }
                };
                wake(other);
                for end in [node, other] {
                    for &(_, neighbour) in self.edges_of(end) {
                        pulse.beat(1)?;
                        if self.capacity[neighbour as usize] > 0 {
                            wake(neighbour);
                            // A node that takes several is chosen by its own best, which may be any of these.
                            if self.capacity[neighbour as usize] > 1 {
                                self.edges_of(neighbour).iter().for_each(|&(_, n)| wake(n));
                            }
                        }
                    }
                }
            }
        }
        let is_open = |&(pair, node): &(u32, u32)| {
            let pair: &Pair = &self.pairs[pair as usize];
            (self.capacity[node as usize] > 0).then_some(*pair)
        };
        for node in 0..nodes as usize {
            // Each pair is listed under both its ends; a left node's edges lead to right ones.
            let edges = &self.edges[self.starts[node]..self.starts[node + 1]];
            let is_left = edges.first().is_some_and(|&(_, other)| other as usize > node);
            if is_left && self.capacity[node] > 0 {
                selection.open.extend(edges.iter().filter_map(is_open));
            }
        }
        Ok(())
    }

    fn edges_of(&self, node: u32) -> &[(u32, u32)] {
        &self.edges[self.starts[node as usize]..self.starts[node as usize + 1]]
    }

    /// The pair that `node` and the other end can settle on now.
    ///
    /// Looking at the node's best pair is enough: of the two ends of a choosable pair, at least one has
    /// no other candidate in the margin (or both would have to be larger than the other).
    fn choice_of(&mut self, node: u32, pulse: &mut Pulse<'_>) -> Result<Option<(u32, u32)>, Cancelled> {
        if self.capacity[node as usize] == 0 || self.frozen[node as usize] {
            return Ok(None);
        }
        while let Some(&(pair, other)) = self.edges_of(node).get(self.heads[node as usize]) {
            if self.capacity[other as usize] == 0 {
                self.heads[node as usize] += 1;
                pulse.beat(1)?;
                continue;
            }
            let confidence = self.pairs[pair as usize].confidence.millionths();
            let clear = !self.frozen[other as usize]
                && self.is_clear(node, other, confidence, pulse)?
                && self.is_clear(other, node, confidence, pulse)?;
            return Ok(clear.then_some((pair, other)));
        }
        Ok(None)
    }

    /// Whether `keep` is the only free candidate of `node` that is not worse by more than the margin, or
    /// all such candidates fit into `node` at once.
    fn is_clear(
        &self,
        node: u32,
        keep: u32,
        confidence: u32,
        pulse: &mut Pulse<'_>,
    ) -> Result<bool, Cancelled> {
        let (mut wanted, mut others) = (0u64, false);
        for &(pair, other) in &self.edges_of(node)[self.heads[node as usize]..] {
            pulse.beat(1)?;
            let capacity = self.capacity[other as usize];
            if capacity == 0 {
                continue;
            }
            if self.pairs[pair as usize].confidence.millionths() + self.margin < confidence {
                break;
            }
            wanted += u64::from(capacity);
            others |= other != keep;
            if others && wanted > u64::from(self.capacity[node as usize]) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
