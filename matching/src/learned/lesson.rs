//! The pairs that teach a model. Of very many a part is enough: some tens of numbers are learned, and a hundred thousand
//! pairs say them as well as millions.

use super::blocks::Pairs;
use super::fields::Field;
use super::learn::{Ends, Model, Taught, sums_of};
use super::patterns::Patterns;
use super::posterior::{self, Edge};
use crate::watch::steps::steps;
use crate::{Cancelled, Watch};
use rayon::prelude::*;

/// Pairs that are enough; twice as many are still taken whole.
const PAIRS_ENOUGH: usize = 1 << 17;
/// Stretches of the order of amounts that a sample is made of. In long ones most pairs that compete are together.
const STRETCHES: usize = 16;
/// Pairs weighed between two looks at the watch.
const EDGES: usize = 1 << 14;

/// Which pairs are learned from.
pub(super) enum Sample {
    All,
    /// Those whose left record lies in one of some stretches of the order of amounts, and their share of those records.
    Part(Pairs, f64),
}

impl Sample {
    /// Records of one amount are taken together, so that the order of the records changes nothing. Where amounts are
    /// not compared, records that compete lie anywhere: then all pairs are taken.
    pub fn of(pairs: &Pairs, fields: &[Field], ends: &Ends, watch: Watch<'_>) -> Result<Self, Cancelled> {
        let has_amounts = fields.iter().any(|field| matches!(field, Field::Amounts { .. }));
        let (count, records) = (pairs.ends.len(), ends.left.len());
        if count <= 2 * PAIRS_ENOUGH || !has_amounts {
            return Ok(Sample::All);
        }
        let period = records.div_ceil(STRETCHES);
        let stretch = (period as f64 * PAIRS_ENOUGH as f64 / count as f64).ceil() as usize;
        let is_taken = |left: u32| ends.left_rank[left as usize] as usize % period < stretch;
        let width = pairs.agreements.len() / count;
        let mut part = Pairs::default();
        let pieces = pairs.ends.chunks(EDGES).zip(pairs.agreements.chunks(EDGES * width.max(1)));
        for (ends, agreements) in pieces {
            watch.check()?;
            steps(ends.len());
            for (i, &(left, right)) in ends.iter().enumerate().filter(|(_, (left, _))| is_taken(*left)) {
                part.ends.push((left, right));
                part.agreements.extend_from_slice(&agreements[i * width..(i + 1) * width]);
            }
        }
        // Most records have one of a few amounts, and those are outside.
        if part.ends.len() < PAIRS_ENOUGH / 2 {
            return Ok(Sample::All);
        }
        let taken = (0..records as u32).filter(|&left| is_taken(left)).count();
        Ok(Sample::Part(part, taken as f64 / records as f64))
    }

    pub fn pairs<'a>(&'a self, all: &'a Pairs) -> &'a Pairs {
        match self {
            Sample::All => all,
            Sample::Part(part, _) => part,
        }
    }

    /// Of the left records, above 0 to 1.
    pub fn share(&self) -> f64 {
        match self {
            Sample::All => 1.0,
            Sample::Part(_, share) => *share,
        }
    }
}

/// Pairs with their patterns and what is known of their ends.
pub(super) struct Lesson<'a> {
    pub pairs: &'a Pairs,
    pub patterns: Patterns,
    /// Of all left records, those whose pairs these are.
    pub share: f64,
    ends: &'a Ends,
    pub watch: Watch<'a>,
}

impl<'a> Lesson<'a> {
    /// `ends`: by their orders.
    pub fn of(pairs: &'a Pairs, share: f64, ends: &'a Ends, watch: Watch<'a>) -> Result<Self, Cancelled> {
        let width = pairs.agreements.len() / pairs.ends.len().max(1);
        let patterns = Patterns::of(&pairs.agreements, width, watch)?;
        Ok(Lesson { pairs, patterns, share, ends, watch })
    }

    /// The pairs without any odds yet.
    pub fn edges(&self) -> Vec<Edge> {
        let edge = |&(left, right): &(u32, u32)| {
            let (left, right) = (self.ends.left_order[left as usize], self.ends.right_order[right as usize]);
            Edge { left, right, odds: 0.0 }
        };
        self.pairs.ends.iter().map(edge).collect()
    }

    pub fn rivals(&self, edges: &[Edge]) -> Result<posterior::Field, Cancelled> {
        posterior::Field::new(edges, &self.ends.left, &self.ends.right, self.watch)
    }

    /// All pairs in one currency that these records could make.
    pub fn pair_count(&self) -> f64 {
        self.ends.pair_count * self.share
    }

    /// Odds of a pair before anything is compared, when so many of these pairs are right.
    pub fn prior(&self, matched: f64) -> f64 {
        self.ends.prior(matched / self.share)
    }

    /// Gives each pair the odds of its pattern.
    pub fn weigh(&self, model: &Model, sums: &[f64], edges: &mut [Edge]) -> Result<(), Cancelled> {
        let odds: Vec<f64> = sums.par_iter().map(|&sum| model.odds_of(sum)).collect();
        let of_pairs = self.patterns.of_pairs().par_chunks(EDGES);
        edges.par_chunks_mut(EDGES).zip(of_pairs).try_for_each(|(edges, of_pairs)| {
            self.watch.check()?;
            steps(edges.len());
            edges.iter_mut().zip(of_pairs).for_each(|(edge, &pattern)| edge.odds = odds[pattern as usize]);
            Ok(())
        })
    }

    /// What the model makes of the pairs.
    pub fn judged(&self, model: Model, mut edges: Vec<Edge>) -> Result<Taught, Cancelled> {
        self.weigh(&model, &sums_of(&model, &self.patterns), &mut edges)?;
        let mut field = self.rivals(&edges)?;
        field.marginals(&edges, posterior::ROUNDS, self.watch)?;
        let odds = edges.par_iter().enumerate().map(|(i, edge)| field.odds_among_others(edge, i)).collect();
        Ok(Taught { model, edges, odds })
    }
}
