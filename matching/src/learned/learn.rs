//! The rounds of learning: what is probable with the numbers so far, and what numbers that makes.

use super::blocks::Pairs;
use super::calibration::{Calibration, SumTally};
use super::fields::{Agreement, Field};
use super::lesson::{Lesson, Sample};
use super::model::{BitsTable, FieldModel, ONE, Tally, USUAL_WEIGHT};
use super::patterns::Patterns;
use super::posterior::Edge;
use super::{FieldEvidence, LearnedEvidence};
use crate::watch::steps::steps;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Rounds of learning at most.
const ROUNDS_MAX: usize = 14;
/// Rounds of messages in each of them: the next one goes on from there.
const MESSAGE_ROUNDS: usize = 8;
/// Learning ends when no weight moves by more, in bits.
const LEARNED_BITS: f64 = 0.05;
/// Rounds of learning what sums are worth.
const CALIBRATION_ROUNDS: usize = 8;
/// Odds in bits beyond which nothing more is to be said.
const BITS_MAX: f64 = 60.0;

/// What is known of both sides beside the pairs.
pub(super) struct Ends {
    /// Records that each node stands for.
    pub left: Vec<u32>,
    pub right: Vec<u32>,
    /// All pairs in one currency.
    pub pair_count: f64,
    /// By place: a number for each, so that those with near numbers have much to do with each other. It changes
    /// nothing but how far apart in memory their messages are.
    pub left_order: Vec<u32>,
    pub right_order: Vec<u32>,
    /// By place: the number in [`Self::left_order`] of the first record with the same amount. Unlike those numbers it does
    /// not depend on the order of the records.
    pub left_rank: Vec<u32>,
}

impl Ends {
    /// Capacities by the numbers of the two orders.
    fn in_order(self) -> Self {
        let sort = |capacity: &[u32], order: &[u32]| {
            let mut sorted = vec![0; capacity.len()];
            capacity.iter().zip(order).for_each(|(&capacity, &at)| sorted[at as usize] = capacity);
            sorted
        };
        let (left, right) = (sort(&self.left, &self.left_order), sort(&self.right, &self.right_order));
        Ends { left, right, ..self }
    }

    /// Odds of a pair before anything is compared, that let so many pairs be right.
    pub fn prior(&self, matches: f64) -> f64 {
        let (l, r) = (self.left.len() as f64, self.right.len() as f64);
        // A few records prove nothing about how many have a counterpart: half of them is the guess.
        let few = 4.0 / (l.min(r) + 4.0);
        let matches = (matches * (1.0 - few) + l.min(r) / 2.0 * few).clamp(0.5, l.min(r));
        // Records without a counterpart: half a one is always left.
        let free = |all: f64| (all - matches).max(0.5) / all;
        matches / (self.pair_count * free(l) * free(r))
    }
}

/// All learned numbers.
#[derive(Debug)]
pub(super) struct Model {
    fields: Vec<FieldModel>,
    calibration: Calibration,
    /// log2 of the odds before anything is compared.
    prior: f64,
    /// Expected matches among the pairs: what taught the model.
    matches: f64,
}

impl Model {
    fn bits(&self, agreements: &[Agreement]) -> f64 {
        self.fields.iter().zip(agreements).map(|(f, &a)| f.bits_of(a)).sum()
    }

    pub fn odds_of(&self, sum: f64) -> f64 {
        (self.prior + self.calibration.of(sum)).clamp(-BITS_MAX, BITS_MAX).exp2()
    }

    fn tables(&self) -> Vec<BitsTable> {
        self.fields.iter().map(BitsTable::of).collect()
    }

    /// The same odds, but never more than one error among so many matches as there were to learn from: that many
    /// without an error would not prove more (Laplace's rule of succession).
    pub fn sure_odds(&self, odds: f64) -> f64 {
        odds / (1.0 + odds / (self.matches + 1.0))
    }

    pub fn evidence(&self, agreements: &[Agreement], alone: f64, among_others: f64) -> LearnedEvidence {
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
            few: (self.sure_odds(among_others) / among_others).log2() as f32,
            taught_by: self.matches as f32,
        }
    }
}

/// What was learned, and what it makes of the pairs.
pub(super) struct Taught {
    pub model: Model,
    /// By pair, with the odds it has alone.
    pub edges: Vec<Edge>,
    /// By pair, among others.
    pub odds: Vec<f64>,
}

/// `random`: how often each level of each field occurs among pairs taken at random.
pub(super) fn learn(
    (watch, advance): (Watch<'_>, &(dyn Fn(f64) + Sync)),
    fields: &[Field],
    random: &[Vec<f64>],
    pairs: &Pairs,
    ends: Ends,
) -> Result<Taught, Cancelled> {
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
    let mut model =
        Model { fields: guesses.clone(), calibration, prior: ends.prior(expected).log2(), matches: expected };
    let sample = Sample::of(pairs, fields, &ends, watch)?;
    let ends = ends.in_order();
    let lesson = Lesson::of(sample.pairs(pairs), sample.share(), &ends, watch)?;
    let counts = level_counts(fields, &lesson.patterns);
    let pair_count = lesson.pair_count();
    let mut edges = lesson.edges();
    let mut field = lesson.rivals(&[])?;
    for round in 0..ROUNDS_MAX {
        let sums = sums_of(&model, &lesson.patterns);
        lesson.weigh(&model, &sums, &mut edges)?;
        // Again now and then all the same: most pairs lose their chances, and then there is less to do.
        if [0, 2, 5].contains(&round) || !field.fits(&edges) {
            field = lesson.rivals(&edges)?;
        }
        let probabilities = field.marginals(&edges, MESSAGE_ROUNDS, watch)?;
        advance(0.6 + 0.4 * round as f64 / ROUNDS_MAX as f64);
        let (tallies, matched) = tally(lesson.pairs, &counts, &probabilities, watch)?;
        let before: Vec<f64> = model.fields.iter().flat_map(|f| f.bits.clone()).collect();
        for (i, learning) in model.fields.iter_mut().enumerate() {
            let usual = fields[i].usual();
            learning.learn(&guesses[i], &tallies[i], &random[i], &usual, pair_count);
        }
        model.prior = lesson.prior(matched).log2();
        let moved = model.fields.iter().flat_map(|f| &f.bits).zip(&before).map(|(a, b)| (a - b).abs());
        if moved.fold(0.0, f64::max) < LEARNED_BITS {
            break;
        }
    }
    calibrate(&mut model, &lesson, &mut edges)?;
    if lesson.share < 1.0 {
        drop((lesson, edges, field));
        let all = Lesson::of(pairs, 1.0, &ends, watch)?;
        let edges = all.edges();
        return all.judged(model, edges);
    }
    lesson.judged(model, edges)
}

fn bits(tables: &[BitsTable], agreements: &[Agreement]) -> f64 {
    tables.iter().zip(agreements).map(|(table, &agreement)| table.bits_of(agreement)).sum()
}

/// The sum of weights of each pattern.
pub(super) fn sums_of(model: &Model, patterns: &Patterns) -> Vec<f64> {
    let tables = model.tables();
    patterns.distinct().map(|agreements| bits(&tables, agreements)).collect()
}

/// How many pairs have each level of each field.
fn level_counts(fields: &[Field], patterns: &Patterns) -> Vec<Vec<u64>> {
    let mut counts: Vec<Vec<u64>> = fields.iter().map(|f| vec![0; f.levels() + 1]).collect();
    for (agreements, pairs) in patterns.distinct().zip(patterns.counts()) {
        let levels = counts.iter_mut().zip(agreements);
        levels.for_each(|(counts, agreement)| counts[usize::from(agreement.level)] += pairs);
    }
    counts
}

/// Learns what sums of weights are worth.
fn calibrate(model: &mut Model, lesson: &Lesson<'_>, edges: &mut [Edge]) -> Result<(), Cancelled> {
    let patterns = &lesson.patterns;
    let sums = sums_of(model, patterns);
    let mut field = lesson.rivals(&[])?;
    for round in 0..CALIBRATION_ROUNDS {
        lesson.weigh(model, &sums, edges)?;
        if [0, CALIBRATION_ROUNDS / 2].contains(&round) || !field.fits(edges) {
            field = lesson.rivals(edges)?;
        }
        let probabilities = field.marginals(edges, MESSAGE_ROUNDS, lesson.watch)?;
        let weights = probabilities.par_iter().zip(patterns.of_pairs());
        let zero = || (SumTally::new(), 0u64);
        let add = |(mut tally, all): (SumTally, u64), (&p, &pattern): (&f64, &u32)| {
            let weight = (p * ONE as f64) as u64;
            if weight > 0 {
                tally.add(sums[pattern as usize], weight);
            }
            (tally, all + weight)
        };
        let (tally, matched) = weights.fold(zero, add).reduce(zero, |(a, n), (b, m)| (a.merge(&b), n + m));
        let tally = tally.among(sums.iter().copied().zip(patterns.counts().iter().copied()));
        let matched = matched as f64 / ONE as f64;
        (model.prior, model.matches) = (lesson.prior(matched).log2(), matched / lesson.share);
        model.calibration = Calibration::learn(&tally, matched, lesson.pair_count(), model.prior);
    }
    Ok(())
}

/// What each field's levels occur with, and the number of matches. `counts`: pairs with each level.
fn tally(
    pairs: &Pairs,
    counts: &[Vec<u64>],
    probabilities: &[f64],
    watch: Watch<'_>,
) -> Result<(Vec<Tally>, f64), Cancelled> {
    let width = counts.len();
    let zero = || (counts.iter().map(|counts| Tally::new(counts.len() - 1)).collect::<Vec<_>>(), 0u64);
    let chunks = probabilities.par_chunks(4096).enumerate().map(|(chunk, probabilities)| {
        watch.check()?;
        steps(probabilities.len() * width);
        let (mut tallies, mut sum) = zero();
        for (i, &p) in probabilities.iter().enumerate() {
            let weight = (p * ONE as f64) as u64;
            if weight == 0 {
                continue;
            }
            sum += weight;
            let at = (chunk * 4096 + i) * width;
            for (tally, &agreement) in tallies.iter_mut().zip(&pairs.agreements[at..at + width]) {
                tally.add(agreement, weight);
            }
        }
        Ok((tallies, sum))
    });
    let (tallies, sum) = chunks.try_reduce(zero, |(a, s), (b, t)| {
        Ok((a.into_iter().zip(&b).map(|(a, b)| a.merge(b)).collect(), s + t))
    })?;
    let tallies = tallies.into_iter().zip(counts).map(|(tally, counts)| tally.among(counts)).collect();
    Ok((tallies, sum as f64 / ONE as f64))
}

#[cfg(test)]
mod tests;
