//! Which candidate pairs become matches: those that are the best of both their ends, clearly.
//!
//! A pair is chosen when, at each end, every other candidate is worse by more than the margin, or when all
//! candidates that are not worse fit into the end at once (it stands for several identical records, so
//! that there is no choice to make). A chosen pair frees its neighbours from competition; this repeats
//! until nothing changes. Choosing one pair never makes another unchoosable, so the end result does not
//! depend on the order in which pairs are looked at.
//!
//! Never done here: deciding between equals. What is still tied stays open.

use crate::{Cancelled, Confidence, Pulse, Watch};
use std::collections::HashMap;

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

/// `pairs`: each at most once, in any order. `margin`: see [`crate::RuleSet::ambiguity_margin`].
pub(crate) fn select(
    pairs: Vec<Pair>,
    ends: &Ends<'_>,
    margin: Confidence,
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
    drop((left_degree, right_degree));
    if !contested.is_empty() {
        Contest::new(contested, ends, margin, &mut pulse)?.settle(&mut selection, &mut pulse)?;
    }
    Ok(selection)
}

/// Pairs that are among the best (within the margin) of both their ends: the ties a person must decide.
/// A non-empty list has at least one.
pub(crate) fn contended(open: &[Pair], margin: Confidence) -> Vec<Pair> {
    let (mut best_left, mut best_right) = (HashMap::new(), HashMap::new());
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
    fn new(
        pairs: Vec<Pair>,
        ends: &Ends<'_>,
        margin: Confidence,
        pulse: &mut Pulse<'_>,
    ) -> Result<Self, Cancelled> {
        let distinct = |of: fn(&Pair) -> u32| {
            let mut all: Vec<u32> = pairs.iter().map(of).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (lefts, rights) = (distinct(|p| p.left), distinct(|p| p.right));
        let number = |of: &[u32], node| of.binary_search(&node).expect("collected from the same pairs");
        let nodes = lefts.len() + rights.len();
        let mut by_node: Vec<(u32, u32, u32)> = Vec::with_capacity(pairs.len() * 2);
        for (i, pair) in pairs.iter().enumerate() {
            pulse.beat(16)?;
            let (l, r) =
                (number(&lefts, pair.left) as u32, (lefts.len() + number(&rights, pair.right)) as u32);
            by_node.push((l, i as u32, r));
            by_node.push((r, i as u32, l));
        }
        by_node.sort_unstable_by_key(|&(n, i, _)| (n, std::cmp::Reverse(pairs[i as usize].confidence), i));
        pulse.beat(u32::MAX)?;
        let mut starts = vec![0; nodes + 1];
        by_node.iter().for_each(|&(n, _, _)| starts[n as usize + 1] += 1);
        (0..nodes).for_each(|n| starts[n + 1] += starts[n]);
        let capacity = lefts.iter().map(|&n| (ends.left_capacity)(n));
        let capacity = capacity.chain(rights.iter().map(|&n| (ends.right_capacity)(n))).collect();
        let frozen =
            lefts.iter().map(|_| false).chain(rights.iter().map(|&n| (ends.right_frozen)(n))).collect();
        let edges = by_node.into_iter().map(|(_, pair, other)| (pair, other)).collect();
        Ok(Contest {
            pairs,
            margin: margin.millionths(),
            edges,
            starts,
            heads: vec![0; nodes],
            capacity,
            frozen,
        })
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

#[cfg(test)]
mod tests;
