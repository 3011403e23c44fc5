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
mod tests {
    use super::*;

    /// Pairs as `left right hundredths`; records as `capacity` of every left node and one of every right.
    fn check(capacity: &[u32], pairs: &[(u32, u32, u32)], expected: &[(u32, u32, u32)], open: usize) {
        let pair = |&(left, right, c): &(u32, u32, u32)| Pair {
            left,
            right,
            confidence: Confidence::from_millionths(c * 10_000).unwrap(),
            spread: 1,
        };
        let ends = Ends {
            left_len: 10,
            right_len: 10,
            left_capacity: &|n| capacity.get(n as usize).copied().unwrap_or(1),
            right_capacity: &|_| 1,
            right_frozen: &|n| n == 9,
        };
        // Any rotation and the reverse must give the same.
        for turn in 0..pairs.len() * 2 {
            let mut turned: Vec<Pair> = pairs.iter().map(pair).collect();
            turned.rotate_left(turn % pairs.len());
            if turn >= pairs.len() {
                turned.reverse();
            }
            let margin = Confidence::from_f64(0.02);
            let selection = select(turned, &ends, margin, Watch::none()).unwrap();
            let mut chosen: Vec<_> =
                selection.chosen.iter().map(|c| (c.pair.left, c.pair.right, c.count)).collect();
            chosen.sort();
            assert_eq!(chosen, expected, "{pairs:?} turned by {turn}");
            assert_eq!(selection.open.len(), open, "{pairs:?}: {:?}", selection.open);
            assert_eq!(contended(&selection.open, margin).is_empty(), open == 0);
        }
    }

    #[test]
    fn only_clear_winners_are_chosen() {
        // One candidate.
        check(&[], &[(0, 0, 90)], &[(0, 0, 1)], 0);
        // A clear best; the other candidate loses its partner and is done.
        check(&[], &[(0, 0, 90), (0, 1, 80)], &[(0, 0, 1)], 0);
        // Within the margin, also exactly on it: nobody.
        check(&[], &[(0, 0, 90), (0, 1, 89)], &[], 2);
        check(&[], &[(0, 0, 90), (0, 1, 88)], &[], 2);
        check(&[], &[(0, 0, 90), (1, 0, 90)], &[], 2);
        // The best of one is better off elsewhere.
        check(&[], &[(0, 0, 90), (1, 0, 95), (0, 1, 60)], &[(0, 1, 1), (1, 0, 1)], 0);
        // Elimination runs down a chain.
        check(
            &[],
            &[(0, 0, 90), (1, 0, 80), (1, 1, 80), (2, 1, 70), (2, 2, 70)],
            &[(0, 0, 1), (1, 1, 1), (2, 2, 1)],
            0,
        );
        // A square of equals stays open, its neighbour does not.
        check(&[], &[(0, 0, 90), (0, 1, 90), (1, 0, 90), (1, 1, 90), (2, 2, 50)], &[(2, 2, 1)], 4);
        // A loser of a tie stays open behind it.
        check(&[], &[(0, 0, 90), (1, 0, 90), (2, 0, 50)], &[], 3);
        // A frozen end is not chosen and still competes.
        check(&[], &[(0, 9, 90)], &[], 1);
        check(&[], &[(0, 9, 90), (0, 1, 89)], &[], 2);
    }

    #[test]
    fn identical_records_leave_no_choice() {
        // Two identical left records, two different right ones.
        check(&[2], &[(0, 0, 90), (0, 1, 90)], &[(0, 0, 1), (0, 1, 1)], 0);
        // Three right ones: which is left over would be a choice.
        check(&[2], &[(0, 0, 90), (0, 1, 90), (0, 2, 90)], &[], 3);
        // Fewer: one of the twins stays.
        check(&[3], &[(0, 0, 90), (0, 1, 70)], &[(0, 0, 1), (0, 1, 1)], 0);
        // A twin's partner with another equal candidate is a choice.
        check(&[2], &[(0, 0, 90), (0, 1, 90), (1, 1, 90)], &[(0, 0, 1)], 2);
    }

    /// The definition, taken literally: look at all pairs again and again.
    fn naive(pairs: &[Pair], margin: Confidence) -> Vec<(u32, u32)> {
        let mut chosen: Vec<(u32, u32)> = vec![];
        loop {
            let is_free = |p: &&Pair| chosen.iter().all(|&(l, r)| l != p.left && r != p.right);
            let free: Vec<&Pair> = pairs.iter().filter(is_free).collect();
            let beats = |a: &Pair, b: &Pair| {
                a == b || a.confidence.millionths() > b.confidence.millionths() + margin.millionths()
            };
            let is_best = |p: &Pair| {
                free.iter().filter(|o| o.left == p.left || o.right == p.right).all(|other| beats(p, other))
            };
            match free.iter().find(|p| is_best(p)) {
                Some(p) => chosen.push((p.left, p.right)),
                None => break,
            }
        }
        chosen.sort();
        chosen
    }

    proptest::proptest! {
        #[test]
        fn the_choice_is_the_one_of_the_definition(
            pairs in proptest::collection::btree_map((0u32..8, 0u32..8), 0u32..12, 0..30),
            margin in 0u32..4,
        ) {
            let step = |n: u32| Confidence::from_millionths(n * 50_000).unwrap();
            let pairs: Vec<Pair> = pairs
                .into_iter()
                .map(|((left, right), c)| Pair { left, right, confidence: step(c), spread: 1 })
                .collect();
            let ends = Ends {
                left_len: 8,
                right_len: 8,
                left_capacity: &|_| 1,
                right_capacity: &|_| 1,
                right_frozen: &|_| false,
            };
            let expected = naive(&pairs, step(margin));
            let selection = select(pairs, &ends, step(margin), Watch::none()).unwrap();
            let mut chosen: Vec<_> = selection.chosen.iter().map(|c| (c.pair.left, c.pair.right)).collect();
            chosen.sort();
            proptest::prop_assert_eq!(chosen, expected);
        }
    }
}
