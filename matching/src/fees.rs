//! Fees kept back from a sum: a per cent of it and an amount per item, given by the rule or learned.
//!
//! Learning looks only at sums that a key joins to one single record each. Every two of them have one rate
//! and amount per item that would explain both; the pair of numbers that explains the most deposits to the
//! minor unit is taken, and only when it explains at least [`DEPOSITS_MIN`].

use crate::{Currency, FeeRule, decimal};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Fewer deposits could agree by chance.
const DEPOSITS_MIN: u32 = 20;
/// Deposits compared at most; a schedule that shows in fewer of these is not the usual one.
const DEPOSITS_LEARNED_MAX: usize = 4096;
/// Each is compared with so many neighbours in size.
const NEIGHBOURS: usize = 4;
/// Guesses whose support is counted.
const GUESSES_MAX: usize = 32;
/// Half of a sum is no fee.
const BASIS_POINTS_MAX: u16 = 5_000;

/// `basis_points` of the sum, and `per_item` for every record in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fee {
    /// Hundredths of a per cent.
    pub basis_points: u16,
    /// Hundredths of a major unit.
    pub per_item: u32,
    /// Deposits that it explains; 0 when the rule gave it.
    pub learned_from: u32,
}

/// What one sum says about fees, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deposit {
    pub gross: i128,
    pub net: i128,
    pub items: u32,
}

impl Fee {
    /// Of a rule that states it; `None` when it is to be learned. The error names the field.
    pub fn compile(rule: &FeeRule) -> Result<Option<Self>, (&'static str, String)> {
        let read = |field, text: &Option<String>| match text {
            None => Ok(0),
            Some(text) => decimal::parse(text, 2).map_err(|says| (field, says)),
        };
        let (rate, per_item) = (read("fee.percent", &rule.percent)?, read("fee.per_item", &rule.per_item)?);
        let basis_points = u16::try_from(rate).ok().filter(|&rate| rate <= BASIS_POINTS_MAX);
        let basis_points = basis_points.ok_or(("fee.percent", "must be between 0 and 50".to_owned()))?;
        let too_much = |_| ("fee.per_item", "is more than any fee".to_owned());
        let per_item = u32::try_from(per_item).map_err(too_much)?;
        let is_given = rule.percent.is_some() || rule.per_item.is_some();
        Ok(is_given.then_some(Fee { basis_points, per_item, learned_from: 0 }))
    }

    /// To the minor unit, whichever way the payer rounded. `exponent`: the currency's decimals.
    pub fn explains(&self, deposit: &Deposit, exponent: u32) -> bool {
        let per_item = i128::from(self.per_item) * i128::from(deposit.items) * 10i128.pow(exponent) * 100;
        let exact = deposit.gross.checked_mul(self.basis_points.into()).map(|share| share + per_item);
        let fee = deposit.gross - deposit.net;
        exact.is_some_and(|exact| fee > 0 && deposit.net > 0 && (exact - fee * 10_000).abs() < 10_000)
    }

    /// `1.4 % + 0.25 an item`, without the part that is nothing.
    pub fn says(&self) -> String {
        let share = format!("{} %", crate::format_minor(self.basis_points.into(), 2));
        let per_item = format!("{} an item", crate::format_minor(self.per_item.into(), 2));
        match (self.basis_points, self.per_item) {
            (_, 0) => share,
            (0, _) => per_item,
            _ => format!("{share} + {per_item}"),
        }
    }

    /// `deposits` of one currency, in any order.
    pub fn learn(mut deposits: Vec<Deposit>, exponent: u32) -> Option<Self> {
        deposits.retain(|d| d.net > 0 && d.net < d.gross && d.gross <= 2 * d.net);
        deposits.sort_unstable();
        deposits.dedup();
        let step = deposits.len().div_ceil(DEPOSITS_LEARNED_MAX).max(1);
        let sample: Vec<Deposit> = deposits.iter().copied().step_by(step).collect();
        let mut votes: BTreeMap<(i64, i64), u32> = BTreeMap::new();
        for (i, a) in sample.iter().enumerate() {
            for b in sample[i + 1..].iter().filter(|b| b.items != a.items).take(NEIGHBOURS) {
                votes.entry(guess(a, b, exponent)?).and_modify(|n| *n += 1).or_insert(1);
            }
        }
        let mut guesses: Vec<((i64, i64), u32)> = votes.into_iter().collect();
        guesses.sort_by_key(|&(guess, votes)| (Reverse(votes), guess));
        guesses.truncate(GUESSES_MAX);
        let fees = guesses.into_iter().flat_map(|((basis_points, per_item), _)| {
            // Rounding moves a guess by a hundredth or two, and by much more where a minor unit is a hundred.
            let near = (-2..=2).map(move |near| per_item + near);
            let round = [5, 10, 25, 50, 100].map(|step| (per_item + step / 2).div_euclid(step) * step);
            near.chain(round).filter_map(move |per_item| {
                let basis_points =
                    u16::try_from(basis_points).ok().filter(|&rate| rate <= BASIS_POINTS_MAX)?;
                Some(Fee { basis_points, per_item: per_item.try_into().ok()?, learned_from: 0 })
            })
        });
        let supported = fees.map(|fee| Fee {
            learned_from: deposits.iter().filter(|d| fee.explains(d, exponent)).count() as u32,
            ..fee
        });
        supported
            .max_by_key(|fee| {
                let (rate, per_item) = (fee.basis_points, fee.per_item);
                (fee.learned_from, roundness(rate.into()) + roundness(per_item), Reverse((rate, per_item)))
            })
            .filter(|fee| fee.learned_from >= DEPOSITS_MIN)
    }
}

/// People agree on round numbers: of two schedules that explain as much, the rounder one was meant.
fn roundness(number: u32) -> u32 {
    [5u32, 10, 25, 50, 100].iter().filter(|&&step| number.is_multiple_of(step)).count() as u32
}

/// Basis points and hundredths per item that explain both. Floats are good enough to guess by: what counts
/// afterwards is whether the rounded guess explains deposits exactly. `None` never, but by overflow.
fn guess(a: &Deposit, b: &Deposit, exponent: u32) -> Option<(i64, i64)> {
    let (fee_a, fee_b) = ((a.gross - a.net) as f64, (b.gross - b.net) as f64);
    let (gross_a, gross_b) = (a.gross as f64, b.gross as f64);
    let (items_a, items_b) = (f64::from(a.items), f64::from(b.items));
    let determinant = gross_a * items_b - gross_b * items_a;
    if determinant == 0.0 {
        return Some((-1, -1));
    }
    let rate = (fee_a * items_b - fee_b * items_a) / determinant;
    let per_item = (gross_a * fee_b - gross_b * fee_a) / determinant;
    Some(((rate * 10_000.0).round() as i64, (per_item * 100.0 / 10f64.powi(exponent as i32)).round() as i64))
}

/// The fee of each currency.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fees(pub Vec<(Currency, Fee)>);

impl Fees {
    pub fn explaining(&self, currency: Currency, deposit: &Deposit) -> Option<Fee> {
        let &(_, fee) = self.0.iter().find(|(c, _)| *c == currency)?;
        fee.explains(deposit, currency.exponent()).then_some(fee)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deposits(count: i128, of: impl Fn(i128, u32) -> i128) -> Vec<Deposit> {
        let deposit = |i: i128| {
            let (gross, items) = (10_000 + i * 7_919 % 50_021, 1 + (i % 7) as u32);
            Deposit { gross, net: gross - of(gross, items), items }
        };
        (0..count).map(deposit).collect()
    }

    #[test]
    fn a_schedule_is_learned_among_other_differences() {
        let mut all = deposits(60, |gross, items| (gross * 29 / 1000) + 30 * i128::from(items));
        all.extend(deposits(40, |gross, items| gross / 10 + gross * gross % 977 + i128::from(items)));
        let fee = Fee::learn(all, 2).unwrap();
        assert_eq!((fee.basis_points, fee.per_item), (290, 30));
        assert!(fee.learned_from >= 60);
        assert_eq!(fee.says(), "2.90 % + 0.30 an item");
    }

    #[test]
    fn parts_of_a_schedule_may_be_nothing_and_the_decimals_of_a_currency_count() {
        let rate_only = Fee::learn(deposits(50, |gross, _| gross / 100), 2).unwrap();
        assert_eq!((rate_only.basis_points, rate_only.per_item), (100, 0));
        let items_only = Fee::learn(deposits(50, |_, items| 500 * i128::from(items)), 3).unwrap();
        assert_eq!((items_only.basis_points, items_only.per_item), (0, 50));
        let yen = Fee::learn(deposits(50, |gross, items| gross / 50 + 3 * i128::from(items)), 0).unwrap();
        assert_eq!((yen.basis_points, yen.per_item), (200, 300));
    }

    #[test]
    fn nothing_is_learned_from_few_or_from_noise() {
        assert_eq!(Fee::learn(deposits(19, |gross, _| gross / 100), 2), None);
        assert_eq!(Fee::learn(vec![], 2), None);
        let noise = deposits(500, |gross, items| 1 + (gross * gross * i128::from(items)) % 4_999);
        assert_eq!(Fee::learn(noise, 2), None);
    }
}
