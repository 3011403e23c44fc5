//! The probability of each pair when a record belongs to one record of the other side at most.
//!
//! A set of pairs that share no record has a probability in proportion to the product of their odds. What
//! that makes of one pair is found by belief propagation: along each pair both ends tell each other how
//! likely they are to be free of all others. For this model (monomers and dimers) the messages always
//! converge, and to the exact answer where the pairs form no ring (Bayati, Gamarnik, Katz, Nair and Tetali
//! 2007); with rings it is very near. "None" is among the answers of every record.

use crate::watch::steps::steps;
use crate::{Cancelled, Watch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

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
    /// Numbers of the edges that share a record with another one, node by node of the left side: what follows calls
    /// a number's index here its place.
    contested: Vec<u32>,
    left: Ends,
    right: Ends,
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
/// Contested pairs of one piece of work; fewer altogether are none for several threads.
const PIECE_LEN: usize = 1 << 12;

/// The contested edges of one side, node by node. Each side keeps its own order, so that all it says lies in one
/// row and only what it hears has to be looked for.
struct Ends {
    starts: Vec<u32>,
    /// Where the other side has each edge.
    across: Vec<u32>,
    /// The edge's node on the other side.
    others: Vec<u32>,
    /// Nodes that have something new to say: what they heard or said last has moved. Most fall silent soon, long before
    /// the last of them have settled.
    awake: Vec<AtomicBool>,
    /// Records each node stands for.
    capacity: Vec<u32>,
    /// Nodes of each piece of work.
    pieces: Vec<Range<usize>>,
    /// How free an end is of its other pairs, 0 to 1, edge by edge; kept between uses as the next beginning.
    messages: Vec<f64>,
}

impl Ends {
    /// `nodes`: of each edge on this side, in this side's order.
    fn of(nodes: &[u32], across: Vec<u32>, capacity: &[u32]) -> Self {
        let mut ends = Ends {
            starts: vec![0],
            across,
            others: vec![],
            awake: vec![],
            capacity: vec![],
            pieces: vec![],
            messages: vec![1.0; nodes.len()],
        };
        let (mut first, mut end) = (0, 0);
        for same in nodes.chunk_by(|a, b| a == b) {
            end += same.len();
            ends.starts.push(end as u32);
            ends.capacity.push(capacity[same[0] as usize]);
            if end - ends.starts[first] as usize >= PIECE_LEN {
                ends.pieces.push(first..ends.capacity.len());
                first = ends.capacity.len();
            }
        }
        if first < ends.capacity.len() {
            ends.pieces.push(first..ends.capacity.len());
        }
        ends
    }

    /// The number of each edge's node, in this side's order.
    fn node_numbers(&self) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(self.across.len());
        for (number, ends) in (0..).zip(self.starts.windows(2)) {
            numbers.resize(ends[1] as usize, number);
        }
        numbers
    }

    fn wake(&mut self) {
        self.awake.clear();
        self.awake.resize_with(self.capacity.len(), || AtomicBool::new(true));
    }

    /// One message along each edge of those that are awake; `odds` in this side's order. Whether all messages have
    /// arrived.
    fn send(&mut self, odds: &[f64], other: &Ends, watch: Watch<'_>) -> Result<bool, Cancelled> {
        let Ends { starts, across, others, awake, capacity, pieces: parts, messages } = self;
        let mut rest = messages.as_mut_slice();
        let mut pieces = Vec::with_capacity(parts.len());
        for nodes in &*parts {
            let edges = starts[nodes.start] as usize..starts[nodes.end] as usize;
            let (messages, behind) = rest.split_at_mut(edges.len());
            rest = behind;
            pieces.push((nodes.clone(), edges.start, messages));
        }
        let send = |(nodes, base, messages): (Range<usize>, usize, &mut [f64])| {
            watch.check()?;
            let (mut terms, mut new, mut all_settled) = (vec![], vec![], true);
            for node in nodes.filter(|&node| awake[node].load(Relaxed)) {
                let edges = starts[node] as usize..starts[node + 1] as usize;
                terms.clear();
                new.clear();
                let heard = across[edges.clone()].iter().map(|&place| other.messages[place as usize]);
                terms.extend(odds[edges.clone()].iter().zip(heard).map(|(odds, heard)| odds * heard));
                free_of_others(&terms, capacity[node], &mut new);
                // Half the way, on the scale of logarithms, where the messages swing evenly about their end.
                let mut settled = true;
                let said = &mut messages[edges.start - base..edges.end - base];
                for ((message, new), &hearer) in said.iter_mut().zip(&new).zip(&others[edges]) {
                    let blended = (*message * new).sqrt();
                    if (blended / *message - 1.0).abs() >= SETTLED {
                        settled = false;
                        other.awake[hearer as usize].store(true, Relaxed);
                    }
                    *message = blended;
                }
                awake[node].store(!settled, Relaxed);
                all_settled &= settled;
            }
            Ok(all_settled)
        };
        let settled: Result<Vec<bool>, Cancelled> = match pieces.len() {
            0 | 1 => pieces.into_iter().map(send).collect(),
            _ => pieces.into_par_iter().map(send).collect(),
        };
        Ok(settled?.into_iter().all(|settled| settled))
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
        let has_rival = |edge: &Edge| {
            edge.odds > NEGLIGIBLE && (left[edge.left as usize] > 1 || right[edge.right as usize] > 1)
        };
        let alone = |edge: &Edge| if edge.odds > NEGLIGIBLE { ALONE } else { LEFT_OUT };
        let mut place_of: Vec<u32> = edges.par_iter().map(alone).collect();
        let mut contested: Vec<u32> =
            (0..edges.len() as u32).filter(|&e| has_rival(&edges[e as usize])).collect();
        watch.check()?;
        let by_left = places_by(contested.iter().map(|&e| edges[e as usize].left), left_capacity.len());
        let mut in_order = vec![0u32; contested.len()];
        contested.iter().zip(&by_left).for_each(|(&e, &place)| in_order[place as usize] = e);
        contested = in_order;
        contested.iter().enumerate().for_each(|(place, &e)| place_of[e as usize] = place as u32);
        watch.check()?;
        let lefts: Vec<u32> = contested.iter().map(|&e| edges[e as usize].left).collect();
        let rights: Vec<u32> = contested.iter().map(|&e| edges[e as usize].right).collect();
        let to_right = places_by(rights.iter().copied(), right_capacity.len());
        let mut to_left = vec![0u32; contested.len()];
        to_right.iter().zip(0..).for_each(|(&right, left)| to_left[right as usize] = left);
        watch.check()?;
        let rights: Vec<u32> = to_left.iter().map(|&place| rights[place as usize]).collect();
        let (mut left, mut right) =
            (Ends::of(&lefts, to_right, left_capacity), Ends::of(&rights, to_left, right_capacity));
        let across = |own: &Ends, other: &Ends| -> Vec<u32> {
            let numbers = other.node_numbers();
            own.across.par_iter().map(|&place| numbers[place as usize]).collect()
        };
        (left.others, right.others) = (across(&left, &right), across(&right, &left));
        Ok(Field { left, right, contested, place_of })
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
        let odds: Vec<f64> = self.contested.par_iter().map(|&e| edges[e as usize].odds).collect();
        let right_odds: Vec<f64> = self.right.across.par_iter().map(|&place| odds[place as usize]).collect();
        self.left.wake();
        self.right.wake();
        for _ in 0..rounds_max {
            watch.check()?;
            let left_settled = self.left.send(&odds, &self.right, watch)?;
            let right_settled = self.right.send(&right_odds, &self.left, watch)?;
            if left_settled && right_settled {
                break;
            }
        }
        let among_others = |e: usize| probability(self.odds_among_others(&edges[e], e));
        Ok((0..edges.len()).into_par_iter().map(among_others).collect())
    }

    /// The odds of an edge with all its competition, after [`Self::marginals`].
    pub fn odds_among_others(&self, edge: &Edge, number: usize) -> f64 {
        match self.place_of[number] {
            ALONE | LEFT_OUT => edge.odds,
            place => {
                let place = place as usize;
                edge.odds * self.left.messages[place] * self.right.messages[self.left.across[place] as usize]
            }
        }
    }
}

/// Where each item goes when they are put in the order of their nodes, those of one node as they come.
fn places_by(nodes: impl Iterator<Item = u32> + Clone, count: usize) -> Vec<u32> {
    let mut next = vec![0u32; count + 1];
    nodes.clone().for_each(|node| next[node as usize + 1] += 1);
    (1..next.len()).for_each(|node| next[node] += next[node - 1]);
    let place = |node: u32| {
        let next = &mut next[node as usize];
        *next += 1;
        *next - 1
    };
    nodes.map(place).collect()
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
    match *terms {
        [_] => return out.push(1.0),
        // What follows, for the one other that each of two has.
        [a, b] => return out.extend([1.0 / (1.0 + b / capacity), 1.0 / (1.0 + a / capacity)]),
        _ => {}
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
