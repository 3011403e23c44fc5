//! Learned passes: what each field's agreement is worth is found out from the records themselves.
//!
//! First every field is read into a form that compares fast, and pairs are found that share something few
//! have. Then the numbers of the model are learned in rounds: with the numbers so far, how probable is each
//! pair, one record belonging to one at most; with these probabilities, how often does each degree of
//! agreement occur among pairs that belong together. Last, the probabilities are the confidences.

mod blocks;
mod calibration;
mod codes;
mod few_against_many;
mod fields;
mod frequency;
mod learn;
mod lesson;
mod model;
mod patterns;
mod plan;
mod posterior;
mod random;
mod reasons;
mod rule;
mod words;

pub(crate) use plan::{COMPARISONS_MAX, LearnedPlan};
pub use rule::{CompareAs, Comparison, FieldNames, LearnedRule};

use crate::candidates::Scope;
use crate::keys::RowMap;
use crate::select::Pair;
use crate::sorted;
use crate::twins::Node;
use crate::{Cancelled, Confidence, Side};
use fields::{Agreement, Field, Part};
use learn::{Ends, Taught};
use rayon::prelude::*;

/// Pairs less probable are no candidates, only competition.
const PROBABLE_MIN: f64 = 0.02;

/// What speaks for and against a pair of one learned pass, in bits: the sum is log2 of its odds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LearnedEvidence {
    /// Before anything is compared.
    pub prior: f32,
    pub fields: Box<[FieldEvidence]>,
    /// What the sum of all fields is worth beyond itself, see [`Calibration`].
    pub calibration: f32,
    /// Taken away by other candidates of both records; not positive.
    pub others: f32,
    /// Taken away because few matches taught the model; not positive.
    pub few: f32,
    /// How many matches those were.
    pub taught_by: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FieldEvidence {
    pub agreement: Agreement,
    pub bits: f32,
}

/// All that a learned pass found.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Candidates, sorted by left and right node.
    pub pairs: Vec<Pair>,
    /// By pair.
    evidence: Vec<LearnedEvidence>,
    pub gave_up: u64,
}

impl Learned {
    pub fn evidence(&self, left: Node, right: Node) -> Option<&LearnedEvidence> {
        let at = self.pairs.binary_search_by_key(&(left, right), |p| (p.left, p.right)).ok()?;
        self.evidence.get(at)
    }
}

pub(crate) fn find(scope: &Scope<'_>, plan: &LearnedPlan) -> Result<Learned, Cancelled> {
    let (left, right) = (&scope.remainder.left, &scope.remainder.right);
    let (left_nodes, right_nodes) = few_against_many::taking_part(scope)?;
    if left_nodes.is_empty() || right_nodes.is_empty() {
        return Ok(Learned::default());
    }
    let sides = [
        Part { records: left.records, nodes: &left_nodes },
        Part { records: right.records, nodes: &right_nodes },
    ];
    let read = |c| Field::read(c, sides[0], sides[1], scope.watch);
    let fields = plan.comparisons.iter().map(read).collect::<Result<Vec<_>, Cancelled>>()?;
    (scope.advance)(0.2);
    let pairs = blocks::find(scope, &fields, sides)?;
    let (random, pair_count) = random::levels(&fields, sides, scope)?;
    let capacities = |rest: &crate::remainder::Rest<'_>, nodes: &[Node]| -> Vec<u32> {
        nodes.iter().map(|&node| rest.capacity(node)).collect()
    };
    let (left_order, left_rank) = by_amount(sides[0]);
    let (right_order, _) = by_amount(sides[1]);
    let ends = Ends {
        left: capacities(left, &left_nodes),
        right: capacities(right, &right_nodes),
        pair_count,
        left_order,
        right_order,
        left_rank,
    };
    let Taught { model, edges, odds } =
        learn::learn((scope.watch, scope.advance), &fields, &random, &pairs, ends)?;
    let mut learned = Learned { gave_up: pairs.gave_up, ..Learned::default() };
    let width = fields.len();
    let mut found: Vec<(Pair, LearnedEvidence)> = (0..pairs.ends.len())
        .into_par_iter()
        .filter(|&i| posterior::probability(odds[i]) >= PROBABLE_MIN)
        .map(|i| {
            let sure = model.sure_odds(odds[i]);
            let (l, r) = pairs.ends[i];
            let agreements = &pairs.agreements[i * width..(i + 1) * width];
            let evidence = model.evidence(agreements, edges[i].odds, odds[i]);
            let pair = Pair {
                left: left_nodes[l as usize],
                right: right_nodes[r as usize],
                confidence: Confidence::from_f64(posterior::probability(sure)),
                spread: 1,
            };
            (pair, evidence)
        })
        .collect();
    sorted::sort_by_key(&mut found, scope.watch, |(p, _)| (p.left, p.right))?;
    (learned.pairs, learned.evidence) = found.into_iter().unzip();
    Ok(learned)
}

/// By place, the number of each record in the order of amounts (those of a pair are seldom far apart), and the number of
/// the first record of its amount, which no order of the records changes.
fn by_amount(part: Part<'_>) -> (Vec<u32>, Vec<u32>) {
    let key = |(&node, place): (&Node, u32)| (part.records.currency(node), part.records.amount(node), place);
    let mut sorted: Vec<_> = part.nodes.iter().zip(0..).map(key).collect();
    sorted.par_sort_unstable();
    let (mut order, mut rank) = (vec![0; sorted.len()], vec![0; sorted.len()]);
    let mut number = 0;
    for same in sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let first = number;
        for &(_, _, place) in same {
            (order[place as usize], rank[place as usize]) = (number, first);
            number += 1;
        }
    }
    (order, rank)
}

/// Pairs that are among the best (within the margin) of both their ends: the ties a person must decide.
/// A non-empty list has at least one.
pub(crate) fn contended(open: &[Pair], margin: Confidence) -> Vec<Pair> {
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

/// Pairs below the threshold of records whose candidates together reach it: one of them is right, but none
/// of them is clear. Only the ones at least half as probable as the record's best.
pub(crate) fn undecided(pairs: &[Pair], threshold: Confidence) -> Vec<Pair> {
    let mut sums = [RowMap::<(u64, u32)>::default(), RowMap::default()];
    let ends = |p: &Pair| [(Side::Left as usize, p.left), (Side::Right as usize, p.right)];
    for pair in pairs {
        for (side, node) in ends(pair) {
            let sum = sums[side].entry(node).or_default();
            sum.0 += u64::from(pair.confidence.millionths());
            sum.1 = sum.1.max(pair.confidence.millionths());
        }
    }
    let wanted = u64::from(threshold.millionths().max(1));
    let undecided = |p: &&Pair| {
        let own = p.confidence.millionths();
        p.confidence < threshold
            && ends(p)
                .iter()
                .map(|(side, node)| sums[*side][node])
                .any(|(sum, best)| sum >= wanted && best <= 2 * own)
    };
    pairs.iter().filter(undecided).copied().collect()
}
