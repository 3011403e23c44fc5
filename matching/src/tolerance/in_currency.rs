//! An allowance in minor units of one currency, and two amounts set side by side.

use super::NamedBound;
use crate::watch::steps::steps;
use crate::{LesserSide, Side};
use std::ops::RangeInclusive;

/// An [`super::Allowance`] in minor units of one currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrencyAllowance<'a> {
    pub(super) absolute: i128,
    pub(super) millionths: i128,
    pub(super) right_sign: i128,
    pub(super) named: &'a [NamedBound],
}

/// Two amounts set side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AmountDistance {
    /// Left minus sign-adjusted right, minor units.
    pub difference: i128,
    /// What was allowed, minor units.
    pub allowed: i128,
    /// The difference is larger than that and still right: index into [`crate::AmountRule::allowed`].
    pub named: Option<u8>,
}

impl AmountDistance {
    pub fn fits(&self) -> bool {
        (self.named.is_some() || self.difference.abs() <= self.allowed)
            && i64::try_from(self.difference).is_ok()
    }

    /// 1 for equal amounts, falling to one half at the edge of the allowance, 0 beyond; of a named difference
    /// from 0.5 to 0.3, so that a nearer amount is never worth less.
    pub fn closeness(&self) -> f64 {
        let share = || self.difference.unsigned_abs() as f64 / self.allowed as f64;
        match (self.difference, self.fits(), self.named) {
            (0, ..) => 1.0,
            (_, false, _) => 0.0,
            (_, true, None) => 1.0 - 0.5 * share(),
            (_, true, Some(_)) => 0.5 - 0.2 * share(),
        }
    }
}

impl CurrencyAllowance<'_> {
    /// The right amount as it is compared with left ones.
    pub fn adjusted(&self, right: i64) -> i128 {
        self.right_sign * i128::from(right)
    }

    /// `right` as its file has it, before any change of sign. Sums of up to 2^32 amounts are fine.
    pub fn distance(&self, left: i128, right: i128) -> AmountDistance {
        steps(1);
        let right = self.right_sign * right;
        let larger = left.abs().max(right.abs());
        let difference = left - right;
        let distance = AmountDistance {
            difference,
            allowed: self.absolute.max(share_of(larger, self.millionths)),
            named: None,
        };
        if self.named.is_empty() || difference.abs() <= distance.allowed {
            return distance;
        }
        let bounds = self.named.iter().enumerate();
        let mut covering = bounds.filter_map(|(i, bound)| {
            let allowed = bound.absolute.max(share_of(larger, bound.millionths));
            let turned_right = match bound.side {
                LesserSide::Either => true,
                LesserSide::LeftLess => difference < 0,
                LesserSide::RightLess => difference > 0,
            };
            (turned_right && difference.abs() <= allowed).then_some((i as u8, allowed))
        });
        match covering.next() {
            Some((i, allowed)) => AmountDistance { allowed, named: Some(i), ..distance },
            None => distance,
        }
    }

    /// How far sums may be apart at most, of which the larger one is at most `larger`; named differences too.
    pub fn apart_max(&self, larger: i128) -> i128 {
        let named = self.named.iter().map(|bound| bound.absolute.max(share_of(larger, bound.millionths)));
        named.fold(self.absolute.max(share_of(larger, self.millionths)), i128::max)
    }

    /// At least a twentieth of the amount: what a person would still call about the same.
    pub fn widened(self) -> Self {
        CurrencyAllowance { millionths: self.millionths.max(50_000), ..self }
    }

    /// The sums, in the signs of the many side's file, outside which nothing fits the `single` amount on side
    /// `one`. May be a little too wide.
    pub fn sum_target(&self, one: Side, single: i64) -> RangeInclusive<i128> {
        match (one, self.right_sign) {
            (Side::Left, -1) => {
                let reach = self.reach(single);
                -*reach.end()..=-*reach.start()
            }
            (Side::Left, _) => self.reach(single),
            (Side::Right, _) => self.reach_of(self.adjusted(single)),
        }
    }

    /// [`Self::reach`] in the signs of the right side's file, as far as an amount can go.
    pub fn reach_in_file(&self, left: i64) -> (i64, i64) {
        let reach = self.reach(left);
        let (low, high) =
            if self.right_sign < 0 { (-*reach.end(), -*reach.start()) } else { reach.into_inner() };
        let amount = |bound: i128| bound.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        (amount(low), amount(high))
    }

    /// The range of adjusted right amounts outside which nothing fits `left`. May be a little too wide.
    pub fn reach(&self, left: i64) -> RangeInclusive<i128> {
        self.reach_of(left.into())
    }

    fn reach_of(&self, left: i128) -> RangeInclusive<i128> {
        // |l - r| <= p max(|l|, |r|) implies |l - r| <= |l| p / (1 - p); with p = 1 everything is in reach.
        let relative = |millionths: i128| match (millionths, 1_000_000 - millionths) {
            (0, _) => 0,
            (_, 0) => i128::MAX / 4,
            (_, rest) => left.abs() * millionths / rest + 1,
        };
        let mut reach = self.absolute.max(relative(self.millionths));
        for bound in self.named {
            reach = reach.max(bound.absolute).max(relative(bound.millionths));
        }
        left - reach..=left + reach
    }
}

fn share_of(amount: i128, millionths: i128) -> i128 {
    let product = amount * millionths;
    // Nearly always; a division of 128 bits costs ten times as much, and there is one for each pair of records.
    match i64::try_from(product) {
        Ok(product) => i128::from(product / 1_000_000),
        Err(_) => product / 1_000_000,
    }
}
