//! The learned numbers: what each degree of agreement of each field says, in bits.

use super::fields::Agreement;
use std::sync::LazyLock;

/// Matches that the first guess counts for, against those the data show.
const GUESS_WEIGHT: f64 = 8.0;
/// Part of the pairs that belong together in which a field is taken to say no more than chance at first: banks
/// write codes instead of names, people move.
const JUNK: f64 = 0.15;
/// Pairs that what is usual counts for, against those of the data.
pub(super) const USUAL_WEIGHT: f64 = 20.0;
/// One field may say this much at most, in bits: no file is free of accidents.
const BITS_MAX: f64 = 24.0;
/// What the rarity of a value may add or take, in bits.
const RARITY_BITS_MAX: f64 = 10.0;
/// Weights that [`Tally`] counts in.
pub(super) const ONE: u64 = 1 << 30;

/// One field's numbers. Index 0 is `missing` and always says nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldModel {
    /// Probability of each level among pairs that belong together, and among all others.
    pub m: Vec<f64>,
    pub u: Vec<f64>,
    /// log2 of m / u, in order: no better level says less.
    pub bits: Vec<f64>,
    /// Mean share of the records with the value both have, among pairs that belong together; 0 where rarity
    /// plays no part.
    pub share: Vec<f64>,
    middle: Option<usize>,
    ordered_from: usize,
}

impl FieldModel {
    /// The first guess: the better a level, the likelier among pairs that belong together.
    pub fn guess(levels: usize, ordered_from: usize, middle: Option<usize>, u: Vec<f64>) -> Self {
        let closeness = |level: usize| match middle {
            None => level as f64 / levels as f64,
            Some(middle) => 1.0 - level.abs_diff(middle) as f64 / levels as f64,
        };
        let mut m: Vec<f64> =
            (0..=levels).map(|l| if l == 0 { 0.0 } else { 8f64.powf(4.0 * closeness(l)) }).collect();
        let sum: f64 = m.iter().sum();
        let all: f64 = u[1..].iter().sum();
        m.iter_mut().zip(&u).for_each(|(m, u)| *m = (1.0 - JUNK) * *m / sum + JUNK * u / all);
        m[0] = 0.0;
        let mut model = FieldModel { m, u, bits: vec![], share: vec![0.0; levels + 1], middle, ordered_from };
        model.weigh();
        model
    }

    /// What the agreement says, in bits.
    pub fn bits_of(&self, agreement: Agreement) -> f64 {
        let level = usize::from(agreement.level);
        self.bits[level] + self.rarity_bits(agreement)
    }

    /// The part that is due to how rare the value is.
    pub fn rarity_bits(&self, agreement: Agreement) -> f64 {
        let share = self.share[usize::from(agreement.level)];
        if agreement.rarity == 0 || share == 0.0 {
            return 0.0;
        }
        (f64::from(agreement.rarity) / 8.0 + share.log2()).clamp(-RARITY_BITS_MAX, RARITY_BITS_MAX)
    }

    /// Learns from the pairs of one round. `u_random`: levels among pairs taken at random; `pairs`: of all pairs.
    pub fn learn(&mut self, guess: &FieldModel, tally: &Tally, random: &[f64], usual: &[f64], pairs: f64) {
        let levels = self.m.len();
        let total: f64 = tally.matched[1..].iter().map(|&w| weight(w)).sum();
        for level in 1..levels {
            self.m[level] =
                (weight(tally.matched[level]) + GUESS_WEIGHT * guess.m[level]) / (total + GUESS_WEIGHT);
            // What is rare among random pairs is counted among the candidates instead, nearly all of which
            // have something in common.
            let (seen, matched) = (weight(tally.others[level]), weight(tally.matched[level]));
            let unseen = (pairs * random[level] - seen - matched).max(0.0);
            self.u[level] = seen + unseen + 0.1 + USUAL_WEIGHT * usual[level];
            // Rarity is measured against a mean: of less than one match there is none.
            self.share[level] = if matched < 1.0 { 0.0 } else { weight(tally.rarity[level]) / matched };
        }
        let sum: f64 = self.u[1..].iter().sum();
        self.u[1..].iter_mut().for_each(|u| *u /= sum);
        self.weigh();
    }

    /// The weights in bits, in order.
    fn weigh(&mut self) {
        let levels = self.m.len() - 1;
        self.bits = vec![0.0; levels + 1];
        let top = match self.middle {
            None => levels,
            // Days have their best where the data have it: a bank may always be two days late.
            Some(_) => {
                let most = self.m.iter().copied().fold(0.0, f64::max);
                // A level that hardly any pair has is no best.
                let ratio = |level: usize| match self.m[level] < most / 20.0 {
                    true => 0.0,
                    false => self.m[level] / self.u[level].max(1e-15),
                };
                (self.ordered_from..=levels)
                    .fold(self.ordered_from, |best, l| if ratio(l) > ratio(best) { l } else { best })
            }
        };
        self.weigh_in_order(self.ordered_from..=top);
        (1..self.ordered_from).for_each(|level| self.weigh_in_order(std::iter::once(level)));
        self.weigh_in_order((top + 1..=levels).rev());
        let best = self.bits[top];
        self.bits[top + 1..].iter_mut().for_each(|bits| *bits = bits.min(best));
    }

    /// Levels out of order are taken together until they are in order (pool adjacent violators).
    fn weigh_in_order(&mut self, order: impl Iterator<Item = usize>) {
        let mut pools: Vec<(f64, f64, Vec<usize>)> = vec![];
        for level in order {
            pools.push((self.m[level], self.u[level], vec![level]));
            while let [.., a, b] = pools.as_slice() {
                if a.0 * b.1 <= b.0 * a.1 {
                    break;
                }
                let pooled = (a.0 + b.0, a.1 + b.1, [a.2.as_slice(), b.2.as_slice()].concat());
                pools.truncate(pools.len() - 2);
                pools.push(pooled);
            }
        }
        for (m, u, all) in pools {
            let bits = (m.max(1e-12) / u.max(1e-15)).log2().clamp(-BITS_MAX, BITS_MAX);
            all.iter().for_each(|&level| self.bits[level] = bits);
        }
    }
}

fn weight(counted: u64) -> f64 {
    counted as f64 / ONE as f64
}

/// Share of the records that have a value, by [`Agreement::rarity`].
static SHARES: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|rarity| 2f64.powf(-(rarity as f64) / 8.0)));

/// [`FieldModel::bits_of`] of every agreement there is, worked out once for millions of pairs.
pub(super) struct BitsTable(Vec<[f64; 256]>);

impl BitsTable {
    pub fn of(model: &FieldModel) -> Self {
        let of_level = |level: usize| {
            let level = level as u8;
            std::array::from_fn(|rarity| model.bits_of(Agreement { level, rarity: rarity as u8 }))
        };
        BitsTable((0..model.bits.len()).map(of_level).collect())
    }

    pub fn bits_of(&self, agreement: Agreement) -> f64 {
        self.0[usize::from(agreement.level)][usize::from(agreement.rarity)]
    }
}

/// What one round saw of one field, in whole numbers of 1/[`ONE`], so that no order of pairs shows in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub matched: Vec<u64>,
    pub others: Vec<u64>,
    /// Shares of records with the value, weighted as `matched`.
    pub rarity: Vec<u64>,
}

impl Tally {
    pub fn new(levels: usize) -> Self {
        Tally { matched: vec![0; levels + 1], others: vec![0; levels + 1], rarity: vec![0; levels + 1] }
    }

    /// That so much of a pair belongs together.
    pub fn add(&mut self, agreement: Agreement, matched: u64) {
        let level = usize::from(agreement.level);
        self.matched[level] += matched;
        if agreement.rarity > 0 {
            let share = SHARES[usize::from(agreement.rarity)];
            self.rarity[level] += (share * matched as f64) as u64;
        }
    }

    pub fn merge(mut self, other: &Tally) -> Self {
        for (a, b) in [(&mut self.matched, &other.matched), (&mut self.rarity, &other.rarity)] {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
        self
    }

    /// `pairs`: how many have each level. What of them was not added does not belong together.
    pub fn among(mut self, pairs: &[u64]) -> Self {
        let all = pairs.iter().map(|pairs| pairs * ONE);
        self.others = all.zip(&self.matched).map(|(all, matched)| all - matched).collect();
        self
    }
}
