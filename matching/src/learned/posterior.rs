//! The probability of each pair when a record belongs to one record of the other side at most.
//!
//! A set of pairs that share no record has a probability in proportion to the product of their odds. What
//! that makes of one pair is found by belief propagation: along each pair both ends tell each other how
//! likely they are to be free of all others. For this model (monomers and dimers) the messages always
//! converge, and to the exact answer where the pairs form no ring (Bayati, Gamarnik, Katz, Nair and Tetali
//! 2007); with rings it is very near. "None" is among the answers of every record.

use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Rounds of messages at most; hardly any input needs a third of them.
const ROUNDS_MAX: usize = 60;
/// Messages that change by less, relative to themselves, have arrived.
const SETTLED: f64 = 1e-4;

/// One pair and the odds that speak for it, against both its records staying alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub left: u32,
    pub right: u32,
    pub odds: f64,
}

/// Which pairs compete; the odds may change between uses.
pub(super) struct Field {
    /// By left node (edges are sorted so), and by right node: numbers of edges.
    left_starts: Vec<u32>,
    right_starts: Vec<u32>,
    right_edges: Vec<u32>,
    /// Records each node stands for.
    left_capacity: Vec<u32>,
    right_capacity: Vec<u32>,
    /// How free an end is of its other pairs, by edge, 0 to 1; kept between uses as the next beginning.
    from_left: Vec<f64>,
    from_right: Vec<f64>,
}

impl Field {
    /// `edges` sorted by left node; capacities by node.
    pub fn new(edges: &[Edge], left_capacity: Vec<u32>, right_capacity: Vec<u32>) -> Self {
        let mut left_starts = vec![0u32; left_capacity.len() + 1];
        let mut right_starts = vec![0u32; right_capacity.len() + 1];
        for edge in edges {
            left_starts[edge.left as usize + 1] += 1;
            right_starts[edge.right as usize + 1] += 1;
        }
        for starts in [&mut left_starts, &mut right_starts] {
            (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        }
        let mut next = right_starts.clone();
        let mut right_edges = vec![0; edges.len()];
        for (i, edge) in edges.iter().enumerate() {
            right_edges[next[edge.right as usize] as usize] = i as u32;
            next[edge.right as usize] += 1;
        }
        Field {
            left_starts,
            right_starts,
            right_edges,
            left_capacity,
            right_capacity,
            from_left: vec![1.0; edges.len()],
            from_right: vec![1.0; edges.len()],
        }
    }

    /// The probability of each edge. The same for any order of edges and nodes and any number of threads.
    pub fn marginals(&mut self, edges: &[Edge], watch: Watch<'_>) -> Result<Vec<f64>, Cancelled> {
        for _ in 0..ROUNDS_MAX {
            watch.check()?;
            let lists: Vec<usize> = (0..self.left_capacity.len()).collect();
            let (from_right, starts) = (&self.from_right, &self.left_starts);
            let rounds = lists.par_chunks(2048).map(|nodes| {
                let (mut new, mut terms) = (vec![], vec![]);
                for &node in nodes {
                    let range = starts[node] as usize..starts[node + 1] as usize;
                    terms.clear();
                    terms.extend(range.map(|e| edges[e].odds * from_right[e]));
                    free_of_others(&terms, self.left_capacity[node], &mut new);
                }
                new
            });
            let new_left: Vec<f64> = rounds.collect::<Vec<_>>().concat();
            let changed_left = blend(&mut self.from_left, new_left.into_iter().enumerate());

            let lists: Vec<usize> = (0..self.right_capacity.len()).collect();
            let (from_left, starts, at) = (&self.from_left, &self.right_starts, &self.right_edges);
            let rounds = lists.par_chunks(2048).map(|nodes| {
                let (mut new, mut terms) = (vec![], vec![]);
                for &node in nodes {
                    let range = starts[node] as usize..starts[node + 1] as usize;
                    terms.clear();
                    terms.extend(at[range].iter().map(|&e| edges[e as usize].odds * from_left[e as usize]));
                    free_of_others(&terms, self.right_capacity[node], &mut new);
                }
                new
            });
            let new_right: Vec<f64> = rounds.collect::<Vec<_>>().concat();
            let by_edge = new_right.into_iter().enumerate().map(|(i, m)| (self.right_edges[i] as usize, m));
            let changed_right = blend(&mut self.from_right, by_edge);
            if changed_left.max(changed_right) < SETTLED {
                break;
            }
        }
        Ok((0..edges.len()).map(|e| probability(self.odds_among_others(&edges[e], e))).collect())
    }

    /// The odds of an edge with all its competition, after [`Self::marginals`].
    pub fn odds_among_others(&self, edge: &Edge, number: usize) -> f64 {
        edge.odds * self.from_left[number] * self.from_right[number]
    }
}

pub(super) fn probability(odds: f64) -> f64 {
    odds / (1.0 + odds)
}

/// Goes half the way (on the scale of logarithms, where the messages swing evenly about their end). The
/// largest relative change.
fn blend(messages: &mut [f64], new: impl Iterator<Item = (usize, f64)>) -> f64 {
    let mut changed: f64 = 0.0;
    for (i, new) in new {
        let blended = (messages[i] * new).sqrt();
        changed = changed.max((blended / messages[i] - 1.0).abs());
        messages[i] = blended;
    }
    changed
}

/// For each of a node's edges 1 / (1 + the sum of all other terms), where a node that stands for several
/// records has room for several. Sums are made of whole numbers, so that no order of edges can show in them.
fn free_of_others(terms: &[f64], capacity: u32, out: &mut Vec<f64>) {
    const SCALE: f64 = (1u64 << 40) as f64;
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
    let scaled = |term: f64| if second > 0.0 { (term / second * SCALE) as u128 } else { 0 };
    let rest: u128 = terms.iter().enumerate().filter(|&(i, _)| i != top).map(|(_, &t)| scaled(t)).sum();
    for (i, &term) in terms.iter().enumerate() {
        let others = if i == top {
            rest as f64 / SCALE * second
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
        let found = Field::new(&edges, vec![1; 4], vec![1; 4]).marginals(&edges, Watch::none()).unwrap();
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
            Field::new(edges, vec![1; 2], vec![1; 2]).marginals(edges, Watch::none()).unwrap()
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
