//! What a sum of weights is really worth: fields that tend to agree together count double, and show here.

use super::model::ONE;

/// Sums are counted by whole bits between these; what lies beyond is taken as them.
const BITS_MIN: f64 = -24.0;
const BITS_MAX: f64 = 72.0;
const STEPS: usize = (BITS_MAX - BITS_MIN) as usize + 1;
/// Pairs that the sum taken at its word counts for, at each step: few data move it little, and the fewer matches
/// there are the less.
const GUESS_PAIRS: f64 = 2.0;
const GUESS_MATCHES: f64 = 50.0;

/// From sums of weights to bits: increasing, straight between the steps.
///
/// The weights are right one by one but their sum presumes that, among pairs that do not belong together,
/// agreement of one field makes agreement of another no likelier. Songs of one album share artist, album
/// and year. So the sum is treated as one more field whose levels are learned in the same way: a sum that
/// many pairs reach which cannot all be right, for a record belongs to one at most, is worth less.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibration {
    /// At each step.
    bits: Vec<f64>,
}

impl Calibration {
    /// Takes sums at their word.
    pub fn none() -> Self {
        Calibration { bits: (0..STEPS).map(value).collect() }
    }

    pub fn of(&self, sum: f64) -> f64 {
        let place = (sum - BITS_MIN).clamp(0.0, (STEPS - 1) as f64);
        let (step, part) = (place as usize, place.fract());
        let next = self.bits[(step + 1).min(STEPS - 1)];
        self.bits[step] + part * (next - self.bits[step])
    }

    /// `matches` among `pairs` pairs; `prior`: log2 of the odds of a pair before anything is compared.
    pub fn learn(tally: &SumTally, matches: f64, pairs: f64, prior: f64) -> Self {
        let smooth = |counts: &[u64]| -> Vec<f64> {
            let at = |step: i64| counts.get(usize::try_from(step).unwrap_or(usize::MAX)).map_or(0, |&c| c);
            let around = |step: usize| {
                let weighted = |(offset, weight): (i64, u64)| at(step as i64 + offset) * weight;
                let sum: u64 = [(-2, 1), (-1, 2), (0, 4), (1, 2), (2, 1)].into_iter().map(weighted).sum();
                sum as f64 / (10.0 * ONE as f64)
            };
            (0..STEPS).map(around).collect()
        };
        let (matched, others) = (smooth(&tally.matched), smooth(&tally.others));
        let weight = GUESS_PAIRS * (1.0 + GUESS_MATCHES / matches.max(0.5));
        // Levels out of order are taken together (pool adjacent violators).
        let mut pools: Vec<(f64, f64, usize)> = vec![];
        for step in 0..STEPS {
            let odds = (prior + value(step)).clamp(-50.0, 50.0).exp2();
            let guess = odds / (1.0 + odds);
            pools.push((matched[step] + weight * guess, others[step] + weight * (1.0 - guess), 1));
            while let [.., a, b] = pools.as_slice() {
                if a.0 * b.1 <= b.0 * a.1 {
                    break;
                }
                let pooled = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
                pools.truncate(pools.len() - 2);
                pools.push(pooled);
            }
        }
        let of =
            |(m, u, _): &(f64, f64, usize)| (m * (pairs - matches).max(1.0) / (u * matches.max(0.5))).log2();
        let bits = pools.iter().flat_map(|pool| std::iter::repeat_n(of(pool), pool.2)).collect();
        Calibration { bits }
    }
}

fn value(step: usize) -> f64 {
    BITS_MIN + step as f64
}

fn step_of(sum: f64) -> usize {
    (sum - BITS_MIN).round().clamp(0.0, (STEPS - 1) as f64) as usize
}

/// How many pairs reach each sum, in whole numbers of 1/[`ONE`].
#[derive(Debug, Clone)]
pub(super) struct SumTally {
    matched: Vec<u64>,
    others: Vec<u64>,
}

impl SumTally {
    pub fn new() -> Self {
        SumTally { matched: vec![0; STEPS], others: vec![0; STEPS] }
    }

    /// That so much of a pair with this sum belongs together.
    pub fn add(&mut self, sum: f64, matched: u64) {
        self.matched[step_of(sum)] += matched;
    }

    pub fn merge(mut self, other: &SumTally) -> Self {
        self.matched.iter_mut().zip(&other.matched).for_each(|(a, b)| *a += b);
        self
    }

    /// `pairs`: all sums, with how many have each. What of them was not added does not belong together.
    pub fn among(mut self, pairs: impl Iterator<Item = (f64, u64)>) -> Self {
        self.others.fill(0);
        pairs.for_each(|(sum, count)| self.others[step_of(sum)] += count * ONE);
        self.others.iter_mut().zip(&self.matched).for_each(|(others, matched)| *others -= matched);
        self
    }
}
