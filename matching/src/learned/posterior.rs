//! The probability of each pair when a record belongs to one record of the other side at most.
//!
//! A set of pairs that share no record has a probability in proportion to the product of their odds. What
//! that makes of one pair is found by belief propagation: along each pair both ends tell each other how
//! likely they are to be free of all others. For this model (monomers and dimers) the messages always
//! converge, and to the exact answer where the pairs form no ring (Bayati, Gamarnik, Katz, Nair and Tetali
//! 2007); with rings it is very near. "None" is among the answers of every record.

use crate::sorted;
use crate::watch::steps::steps;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Messages that change by less, relative to themselves, have arrived.
const SETTLED: f64 = 1e-4;

/// Rounds of messages that are enough; hardly any input needs a third of them.
pub(super) const ROUNDS: usize = 60;

/// One pair and the odds that speak for it, against both its records staying alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub left: u32,
    pub right: u32,
    pub odds: f64,
}

/// Which pairs compete; the odds may change between uses. Pairs without a rival need no messages.
pub(super) struct Field {
    /// Numbers of the edges that share a record with another one. Messages are by place in this list.
    contested: Vec<u32>,
    left: Ends,
    right: Ends,
    /// How free an end is of its other pairs, 0 to 1; kept between uses as the next beginning.
    from_left: Vec<f64>,
    from_right: Vec<f64>,
    /// By edge, place among the contested ones, or [`ALONE`], or [`LEFT_OUT`].
    place_of: Vec<u32>,
}

/// Odds that change nothing for anybody, 2^-16.
const NEGLIGIBLE: f64 = 1.0 / 65_536.0;
/// Odds that are no longer negligible: a little more, so that not every small change is one.
const NO_LONGER_NEGLIGIBLE: f64 = 4.0 * NEGLIGIBLE;
const ALONE: u32 = u32::MAX;
/// Its odds were negligible.
const LEFT_OUT: u32 = u32::MAX - 1;
/// Fewer contested pairs are no work for several threads.
const PARALLEL_MIN: usize = 1 << 16;

/// The contested edges of one side, node by node.
struct Ends {
    starts: Vec<u32>,
    /// Places.
    edges: Vec<u32>,
    /// Records each node stands for.
    capacity: Vec<u32>,
}

impl Ends {
    /// `nodes`: by place, which node the edge has on this side.
    fn of(nodes: impl Iterator<Item = u32>, capacity: &[u32], watch: Watch<'_>) -> Result<Self, Cancelled> {
        let mut edges: Vec<(u32, u32)> =
            nodes.enumerate().map(|(place, node)| (node, place as u32)).collect();
        sorted::sort(&mut edges, watch)?;
        let mut ends = Ends { starts: vec![0], edges: vec![], capacity: vec![] };
        for same in edges.chunk_by(|a, b| a.0 == b.0) {
            ends.edges.extend(same.iter().map(|&(_, place)| place));
            ends.starts.push(ends.edges.len() as u32);
            ends.capacity.push(capacity[same[0].0 as usize]);
        }
        Ok(ends)
    }

    /// One message along each edge, node by node. The largest relative change.
    fn send(
        &self,
        odds: &[f64],
        incoming: &[f64],
        messages: &mut [f64],
        watch: Watch<'_>,
    ) -> Result<f64, Cancelled> {
        let node_messages = |node: usize, terms: &mut Vec<f64>, new: &mut Vec<f64>| {
            let range = self.starts[node] as usize..self.starts[node + 1] as usize;
            terms.clear();
            terms.extend(self.edges[range].iter().map(|&e| odds[e as usize] * incoming[e as usize]));
            free_of_others(terms, self.capacity[node], new);
        };
        let nodes = 0..self.capacity.len();
        let new: Vec<f64> = if self.edges.len() < PARALLEL_MIN {
            let (mut terms, mut new) = (vec![], Vec::with_capacity(self.edges.len()));
            nodes.for_each(|node| node_messages(node, &mut terms, &mut new));
            new
        } else {
            let chunks = nodes.collect::<Vec<_>>();
            let chunks = chunks.par_chunks(4096).map(|nodes| {
                watch.check()?;
                let (mut terms, mut new) = (vec![], vec![]);
                nodes.iter().for_each(|&node| node_messages(node, &mut terms, &mut new));
                Ok(new)
            });
            chunks.collect::<Result<Vec<_>, Cancelled>>()?.concat()
        };
        // Half the way, on the scale of logarithms, where the messages swing evenly about their end.
        let mut changed: f64 = 0.0;
        for (i, (&place, new)) in self.edges.iter().zip(new).enumerate() {
            if i % 65_536 == 0 {
                watch.check()?;
                steps(65_536);
            }
            let message = &mut messages[place as usize];
            let blended = (*message * new).sqrt();
            changed = changed.max((blended / *message - 1.0).abs());
            *message = blended;
        }
        Ok(changed)
    }
}

impl Field {
    /// Capacities by node; each edge at most once. Edges with negligible odds now are no rivals: they are taken
    /// for themselves, and a field must be made again when it no longer [fits](Self::fits).
    pub fn new(
        edges: &[Edge],
        left_capacity: &[u32],
        right_capacity: &[u32],
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        watch.check()?;
        let (mut left, mut right) = (vec![0u32; left_capacity.len()], vec![0u32; right_capacity.len()]);
        for edge in edges.iter().filter(|edge| edge.odds > NEGLIGIBLE) {
            left[edge.left as usize] += 1;
            right[edge.right as usize] += 1;
        }
        let has_rival = |e: &u32| {
            let edge = &edges[*e as usize];
            edge.odds > NEGLIGIBLE && (left[edge.left as usize] > 1 || right[edge.right as usize] > 1)
        };
        let contested: Vec<u32> = (0..edges.len() as u32).filter(has_rival).collect();
        watch.check()?;
        let alone = |edge: &Edge| if edge.odds > NEGLIGIBLE { ALONE } else { LEFT_OUT };
        let mut place_of: Vec<u32> = edges.iter().map(alone).collect();
        contested.iter().enumerate().for_each(|(place, &e)| place_of[e as usize] = place as u32);
        let of = |e: &u32| &edges[*e as usize];
        Ok(Field {
            left: Ends::of(contested.iter().map(|e| of(e).left), left_capacity, watch)?,
            right: Ends::of(contested.iter().map(|e| of(e).right), right_capacity, watch)?,
            from_left: vec![1.0; contested.len()],
            from_right: vec![1.0; contested.len()],
            contested,
            place_of,
        })
    }

    /// Whether the edges that were left out are still no rivals.
    pub fn fits(&self, edges: &[Edge]) -> bool {
        let left_out = self.place_of.par_iter().zip(edges).filter(|(place, _)| **place == LEFT_OUT);
        self.place_of.len() == edges.len() && left_out.all(|(_, edge)| edge.odds <= NO_LONGER_NEGLIGIBLE)
    }

    /// The probability of each edge. The same for any order of edges and nodes and any number of threads.
    ///
    /// Goes on from the messages of the last use; `rounds_max` bounds the work, a few where the odds change
    /// again anyway, [`ROUNDS`] else.
    pub fn marginals(
        &mut self,
        edges: &[Edge],
        rounds_max: usize,
        watch: Watch<'_>,
    ) -> Result<Vec<f64>, Cancelled> {
        let odds: Vec<f64> = self.contested.iter().map(|&e| edges[e as usize].odds).collect();
        for _ in 0..rounds_max {
            watch.check()?;
            let changed_left = self.left.send(&odds, &self.from_right, &mut self.from_left, watch)?;
            let changed_right = self.right.send(&odds, &self.from_left, &mut self.from_right, watch)?;
            if changed_left.max(changed_right) < SETTLED {
                break;
            }
        }
        Ok((0..edges.len()).map(|e| probability(self.odds_among_others(&edges[e], e))).collect())
    }

    /// The odds of an edge with all its competition, after [`Self::marginals`].
    pub fn odds_among_others(&self, edge: &Edge, number: usize) -> f64 {
        match self.place_of[number] {
            ALONE | LEFT_OUT => edge.odds,
            place => edge.odds * self.from_left[place as usize] * self.from_right[place as usize],
        }
    }
}

pub(super) fn probability(odds: f64) -> f64 {
    odds / (1.0 + odds)
}

/// For each of a node's edges 1 / (1 + the sum of all other terms), where a node that stands for several
/// records has room for several. Sums are made of whole numbers, so that no order of edges can show in them.
fn free_of_others(terms: &[f64], capacity: u32, out: &mut Vec<f64>) {
    const SCALE: f64 = (1u64 << 40) as f64;
    steps(1 + terms.len());
    let capacity = f64::from(capacity.max(1));
    if terms.len() == 1 {
        out.push(1.0);
        return;
    }
    // The largest term stands apart: beside it the others would lose their digits.
    let (mut top, mut first, mut second) = (0, 0.0f64, 0.0f64);
    for (i, &term) in terms.iter().enumerate() {
        if term > first {
            (top, first, second) = (i, term, first);
        } else if term > second {
            second = term;
        }
    }
    let scale = if second > 0.0 { SCALE / second } else { 0.0 };
    let scaled = |term: f64| (term * scale) as u64;
    let rest: u64 = terms.iter().enumerate().filter(|&(i, _)| i != top).map(|(_, &t)| scaled(t)).sum();
    for (i, &term) in terms.iter().enumerate() {
        let others = if i == top {
            second + rest.saturating_sub(scaled(second)) as f64 / SCALE * second
        } else {
            first + (rest - scaled(term)) as f64 / SCALE * second
        };
        out.push(1.0 / (1.0 + others / capacity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By adding up every set of pairs without a common record.
    fn brute_force(edges: &[Edge]) -> Vec<f64> {
        let (mut all, mut with) = (0.0, vec![0.0; edges.len()]);
        for set in 0u32..1 << edges.len() {
            let chosen: Vec<usize> = (0..edges.len()).filter(|&e| set >> e & 1 == 1).collect();
            let apart =
                |a: usize, b: usize| edges[a].left != edges[b].left && edges[a].right != edges[b].right;
            if !chosen.iter().all(|&a| chosen.iter().all(|&b| a == b || apart(a, b))) {
                continue;
            }
            let weight: f64 = chosen.iter().map(|&e| edges[e].odds).product();
            all += weight;
            chosen.iter().for_each(|&e| with[e] += weight);
        }
        with.iter().map(|w| w / all).collect()
    }

    fn check(edges: &[(u32, u32, f64)], tolerance: f64) {
        let mut edges: Vec<Edge> =
            edges.iter().map(|&(left, right, odds)| Edge { left, right, odds }).collect();
        edges.sort_by_key(|e| (e.left, e.right));
        let found = Field::new(&edges, &[1; 4], &[1; 4], Watch::none())
            .unwrap()
            .marginals(&edges, ROUNDS, Watch::none())
            .unwrap();
        for (edge, (found, expected)) in edges.iter().zip(found.iter().zip(brute_force(&edges))) {
            assert!((found - expected).abs() < tolerance, "{edge:?}: {found}, by force {expected}");
        }
    }

    #[test]
    fn probabilities_are_exact_where_pairs_form_no_ring() {
        check(&[(0, 0, 3.0)], 1e-3);
        check(&[(0, 0, 50.0), (0, 1, 50.0)], 1e-3);
        check(&[(0, 0, 1000.0), (0, 1, 40.0), (1, 1, 2.0), (2, 1, 0.5)], 1e-3);
        check(&[(0, 0, 9.0), (1, 0, 9.0), (1, 1, 9.0), (2, 1, 9.0), (2, 2, 0.1)], 1e-3);
    }

    #[test]
    fn probabilities_are_near_where_they_do() {
        check(&[(0, 0, 100.0), (0, 1, 100.0), (1, 0, 100.0), (1, 1, 100.0)], 0.05);
        check(&[(0, 0, 1e6), (0, 1, 10.0), (1, 0, 10.0), (1, 1, 1e6)], 0.01);
        check(&[(0, 0, 5.0), (0, 1, 8.0), (1, 0, 1.0), (1, 1, 2.0), (2, 0, 3.0), (2, 1, 0.2)], 0.1);
    }

    #[test]
    fn one_of_two_equals_is_a_toss_and_a_better_one_is_not() {
        let edge = |left, right, odds| Edge { left, right, odds };
        let of = |edges: &[Edge]| {
            Field::new(edges, &[1; 2], &[1; 2], Watch::none())
                .unwrap()
                .marginals(edges, ROUNDS, Watch::none())
                .unwrap()
        };
        let tie = of(&[edge(0, 0, 1e9), edge(0, 1, 1e9)]);
        assert!((tie[0] - 0.5).abs() < 1e-3 && (tie[1] - 0.5).abs() < 1e-3, "{tie:?}");
        let clear = of(&[edge(0, 0, 1e9), edge(0, 1, 1e3)]);
        assert!(clear[0] > 0.999_99 && clear[1] < 1e-5, "{clear:?}");
        // The rival has a record of its own.
        let settled = of(&[edge(0, 0, 1e6), edge(0, 1, 1e6), edge(1, 1, 1e9)]);
        assert!(settled[0] > 0.99, "{settled:?}");
    }
}
