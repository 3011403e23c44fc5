//! Learned passes: what each field's agreement is worth is found out from the records themselves.
//!
//! First every field is read into a form that compares fast, and pairs are found that share something few
//! have. Then the numbers of the model are learned in rounds: with the numbers so far, how probable is each
//! pair, one record belonging to one at most; with these probabilities, how often does each degree of
//! agreement occur among pairs that belong together. Last, the probabilities are the confidences.

mod blocks;
mod calibration;
mod codes;
mod fields;
mod frequency;
mod model;
mod plan;
mod posterior;
mod reasons;
mod rule;
mod words;

pub(crate) use plan::{COMPARISONS_MAX, LearnedPlan};
pub use rule::{CompareAs, Comparison, FieldNames, LearnedRule};

use crate::candidates::Scope;
use crate::select::Pair;
use crate::twins::Node;
use crate::{Cancelled, Confidence, Side};
use blocks::Pairs;
use calibration::{Calibration, SumTally};
use fields::{Agreement, Field, Part};
use model::{FieldModel, ONE, Tally, USUAL_WEIGHT};
use posterior::Edge;
use rayon::prelude::*;
use std::collections::HashMap;

/// Rounds of learning at most.
const ROUNDS_MAX: usize = 14;
/// Learning ends when no weight moves by more, in bits.
const LEARNED_BITS: f64 = 0.02;
/// Rounds of learning what sums are worth.
const CALIBRATION_ROUNDS: usize = 8;
/// Odds in bits beyond which nothing more is to be said.
const BITS_MAX: f64 = 60.0;
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
    let (left_nodes, right_nodes) = (left.free_nodes(), right.free_nodes());
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
    let (random, pair_count) = blocks::random_levels(&fields, sides, scope)?;
    let capacities = |rest: &crate::remainder::Rest<'_>, nodes: &[Node]| -> Vec<u32> {
        nodes.iter().map(|&node| rest.capacity(node)).collect()
    };
    let ends =
        Ends { left: capacities(left, &left_nodes), right: capacities(right, &right_nodes), pair_count };
    let (model, edges, odds) = learn(scope, &fields, &random, &pairs, ends)?;
    let mut learned = Learned { gave_up: pairs.gave_up, ..Learned::default() };
    let width = fields.len();
    let mut found: Vec<(Pair, LearnedEvidence)> = (0..pairs.ends.len())
        .into_par_iter()
        .filter(|&i| posterior::probability(odds[i]) >= PROBABLE_MIN)
        .map(|i| {
            let (l, r) = pairs.ends[i];
            let agreements = &pairs.agreements[i * width..(i + 1) * width];
            let evidence = model.evidence(agreements, edges[i].odds, odds[i]);
            let pair = Pair {
                left: left_nodes[l as usize],
                right: right_nodes[r as usize],
                confidence: Confidence::from_f64(posterior::probability(odds[i])),
                spread: 1,
            };
            (pair, evidence)
        })
        .collect();
    found.sort_unstable_by_key(|(p, _)| (p.left, p.right));
    (learned.pairs, learned.evidence) = found.into_iter().unzip();
    Ok(learned)
}

struct Ends {
    left: Vec<u32>,
    right: Vec<u32>,
    /// All pairs in one currency.
    pair_count: f64,
}

impl Ends {
    /// Odds of a pair before anything is compared, that let so many pairs be right.
    fn prior(&self, matches: f64) -> f64 {
        let (l, r) = (self.left.len() as f64, self.right.len() as f64);
        let matches = matches.clamp(0.5, l.min(r));
        // Records without a counterpart: half a one is always left.
        let free = |all: f64| (all - matches).max(0.5) / all;
        matches / (self.pair_count * free(l) * free(r))
    }
}

#[derive(Debug)]
pub(crate) struct Model {
    fields: Vec<FieldModel>,
    calibration: Calibration,
    /// log2 of the odds before anything is compared.
    prior: f64,
}

impl Model {
    fn bits(&self, agreements: &[Agreement]) -> f64 {
        self.fields.iter().zip(agreements).map(|(f, &a)| f.bits_of(a)).sum()
    }

    fn odds_of(&self, sum: f64) -> f64 {
        (self.prior + self.calibration.of(sum)).clamp(-BITS_MAX, BITS_MAX).exp2()
    }

    fn odds(&self, agreements: &[Agreement]) -> f64 {
        self.odds_of(self.bits(agreements))
    }

    fn evidence(&self, agreements: &[Agreement], alone: f64, among_others: f64) -> LearnedEvidence {
        let fields = self
            .fields
            .iter()
            .zip(agreements)
            .map(|(field, &agreement)| FieldEvidence { agreement, bits: field.bits_of(agreement) as f32 });
        let sum = self.bits(agreements);
        LearnedEvidence {
            calibration: (alone.log2() - self.prior - sum) as f32,
            prior: self.prior as f32,
            fields: fields.collect(),
            others: (among_others / alone).log2() as f32,
        }
    }
}

/// The model, the pairs with their odds alone, and their odds among others.
fn learn(
    scope: &Scope<'_>,
    fields: &[Field],
    random: &[Vec<f64>],
    pairs: &Pairs,
    ends: Ends,
) -> Result<(Model, Vec<Edge>, Vec<f64>), Cancelled> {
    let width = fields.len();
    let guesses: Vec<FieldModel> = fields
        .iter()
        .zip(random)
        .map(|(field, u)| {
            // A level that no random pair has is rarer than one in so many.
            let usual = field.usual();
            let mixed = |(&u, &usual): (&f64, &f64)| {
                (u * ends.pair_count + USUAL_WEIGHT * usual) / (ends.pair_count + USUAL_WEIGHT)
            };
            let u = u.iter().zip(&usual).map(mixed).map(|u| u.max(1e-6)).collect();
            FieldModel::guess(field.levels(), field.ordered_from(), field.middle(), u)
        })
        .collect();
    let expected = ends.left.len().min(ends.right.len()) as f64 / 2.0;
    let calibration = Calibration::none();
    let mut model = Model { fields: guesses.clone(), calibration, prior: ends.prior(expected).log2() };
    let mut edges: Vec<Edge> =
        pairs.ends.iter().map(|&(left, right)| Edge { left, right, odds: 0.0 }).collect();
    let mut field = posterior::Field::new(&edges, &ends.left, &ends.right);
    let weigh = |model: &Model, edges: &mut [Edge]| {
        edges.par_iter_mut().enumerate().for_each(|(i, edge)| {
            edge.odds = model.odds(&pairs.agreements[i * width..(i + 1) * width]);
        });
    };
    for round in 0..ROUNDS_MAX {
        weigh(&model, &mut edges);
        let probabilities = field.marginals(&edges, scope.watch)?;
        (scope.advance)(0.6 + 0.4 * round as f64 / ROUNDS_MAX as f64);
        let (tallies, matched) = tally(fields, pairs, &probabilities);
        let before: Vec<f64> = model.fields.iter().flat_map(|f| f.bits.clone()).collect();
        for (i, learning) in model.fields.iter_mut().enumerate() {
            let usual = fields[i].usual();
            learning.learn(&guesses[i], &tallies[i], &random[i], &usual, ends.pair_count);
        }
        model.prior = ends.prior(matched).log2();
        let moved = model.fields.iter().flat_map(|f| &f.bits).zip(&before).map(|(a, b)| (a - b).abs());
        if moved.fold(0.0, f64::max) < LEARNED_BITS {
            break;
        }
    }
    calibrate(&mut model, scope, pairs, &mut edges, &mut field, &ends)?;
    let odds = edges.iter().enumerate().map(|(i, edge)| field.odds_among_others(edge, i)).collect();
    Ok((model, edges, odds))
}

/// Learns what sums of weights are worth, and leaves the edges and messages as the whole model has them.
fn calibrate(
    model: &mut Model,
    scope: &Scope<'_>,
    pairs: &Pairs,
    edges: &mut [Edge],
    field: &mut posterior::Field,
    ends: &Ends,
) -> Result<(), Cancelled> {
    let width = model.fields.len();
    let sums: Vec<f64> = (0..edges.len())
        .into_par_iter()
        .map(|i| model.bits(&pairs.agreements[i * width..(i + 1) * width]))
        .collect();
    for round in 0..=CALIBRATION_ROUNDS {
        edges.par_iter_mut().zip(&sums).for_each(|(edge, &sum)| edge.odds = model.odds_of(sum));
        let probabilities = field.marginals(edges, scope.watch)?;
        if round == CALIBRATION_ROUNDS {
            break;
        }
        let weights = probabilities.par_iter().zip(&sums).map(|(&p, &sum)| (sum, (p * ONE as f64) as u64));
        let zero = || (SumTally::new(), 0u64);
        let add = |(mut tally, all): (SumTally, u64), (sum, weight)| {
            tally.add(sum, weight);
            (tally, all + weight)
        };
        let (tally, matched) = weights.fold(zero, add).reduce(zero, |(a, n), (b, m)| (a.merge(&b), n + m));
        let matched = matched as f64 / ONE as f64;
        model.prior = ends.prior(matched).log2();
        model.calibration = Calibration::learn(&tally, matched, ends.pair_count, model.prior);
    }
    Ok(())
}

/// What each field's levels occur with, and the number of matches.
fn tally(fields: &[Field], pairs: &Pairs, probabilities: &[f64]) -> (Vec<Tally>, f64) {
    let width = fields.len();
    let zero = || (fields.iter().map(|f| Tally::new(f.levels())).collect::<Vec<_>>(), 0u64);
    let chunks = probabilities.par_chunks(4096).enumerate().map(|(chunk, probabilities)| {
        let (mut tallies, mut sum) = zero();
        for (i, &p) in probabilities.iter().enumerate() {
            let weight = (p * ONE as f64) as u64;
            sum += weight;
            let at = (chunk * 4096 + i) * width;
            for (tally, &agreement) in tallies.iter_mut().zip(&pairs.agreements[at..at + width]) {
                tally.add(agreement, weight);
            }
        }
        (tallies, sum)
    });
    let (tallies, sum) = chunks
        .reduce(zero, |(a, s), (b, t)| (a.into_iter().zip(&b).map(|(a, b)| a.merge(b)).collect(), s + t));
    (tallies, sum as f64 / ONE as f64)
}

/// Pairs below the threshold of records whose candidates together reach it: one of them is right, but none
/// of them is clear. Only the ones at least half as probable as the record's best.
pub(crate) fn undecided(pairs: &[Pair], threshold: Confidence) -> Vec<Pair> {
    let mut sums: HashMap<(Side, Node), (u64, u32)> = HashMap::new();
    let ends = |p: &Pair| [(Side::Left, p.left), (Side::Right, p.right)];
    for pair in pairs {
        for end in ends(pair) {
            let sum = sums.entry(end).or_default();
            sum.0 += u64::from(pair.confidence.millionths());
            sum.1 = sum.1.max(pair.confidence.millionths());
        }
    }
    let wanted = u64::from(threshold.millionths().max(1));
    let undecided = |p: &&Pair| {
        let own = p.confidence.millionths();
        p.confidence < threshold && ends(p).iter().any(|end| sums[end].0 >= wanted && sums[end].1 <= 2 * own)
    };
    pairs.iter().filter(undecided).copied().collect()
}
