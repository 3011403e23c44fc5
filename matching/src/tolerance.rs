//! How far amounts and dates may be apart: [`AmountRule`] and [`DateRule`] ready for the inner loops.

use crate::{AmountRule, Currency, DateDirection, DateRule, Side, decimal};
use std::ops::RangeInclusive;

/// Decimals an absolute allowance may have: enough for every currency, and six times finer than a cent.
const ABSOLUTE_SCALE: u32 = 6;
/// `percent` has at most four decimals, so it is a whole number of millionths of the amount.
const PERCENT_SCALE: u32 = 4;

/// An [`AmountRule`] read once.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    absolute_millionths: u64,
    percent_millionths: u64,
    pub flip_sign: bool,
    /// Worked out beforehand, since asking for a currency's decimals is slow and done for every pair.
    prepared: Vec<(Currency, CurrencyAllowance)>,
}

impl Allowance {
    /// All mistakes, each with the name of the field it is in.
    pub fn compile(rule: &AmountRule) -> Result<Self, Vec<(&'static str, String)>> {
        let mut errors = vec![];
        let mut read =
            |field, text: &Option<String>, scale| match text.as_deref().map(|t| decimal::parse(t, scale)) {
                None => 0,
                Some(Ok(value)) => value,
                Some(Err(says)) => {
                    errors.push((field, says));
                    0
                }
            };
        let absolute_millionths = read("absolute", &rule.absolute, ABSOLUTE_SCALE);
        let percent_millionths = read("percent", &rule.percent, PERCENT_SCALE);
        if percent_millionths > 1_000_000 {
            errors.push(("percent", "must be between 0 and 100".into()));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Allowance { absolute_millionths, percent_millionths, flip_sign: rule.flip_sign, prepared: vec![] })
    }

    /// Makes [`Self::in_currency`] fast for these currencies.
    pub fn prepare(&mut self, currencies: &[Currency]) {
        self.prepared = currencies.iter().map(|&c| (c, self.work_out(c))).collect();
    }

    /// An absolute allowance finer than the currency's minor unit is rounded down: 0.05 is nothing in JPY.
    pub fn in_currency(&self, currency: Currency) -> CurrencyAllowance {
        let prepared = self.prepared.iter().find(|(c, _)| *c == currency);
        prepared.map_or_else(|| self.work_out(currency), |&(_, allowance)| allowance)
    }

    fn work_out(&self, currency: Currency) -> CurrencyAllowance {
        let per_major = 10i128.pow(currency.exponent());
        CurrencyAllowance {
            absolute: i128::from(self.absolute_millionths) * per_major / 1_000_000,
            millionths: i128::from(self.percent_millionths),
            right_sign: if self.flip_sign { -1 } else { 1 },
        }
    }
}

/// An [`Allowance`] in minor units of one currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrencyAllowance {
    absolute: i128,
    millionths: i128,
    right_sign: i128,
}

/// Two amounts set side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AmountDistance {
    /// Left minus sign-adjusted right, minor units.
    pub difference: i128,
    /// What was allowed, minor units.
    pub allowed: i128,
}

impl AmountDistance {
    pub fn fits(&self) -> bool {
        self.difference.abs() <= self.allowed && i64::try_from(self.difference).is_ok()
    }

    /// 1 for equal amounts, falling to one half at the edge of the allowance, 0 beyond.
    pub fn closeness(&self) -> f64 {
        match (self.difference, self.fits()) {
            (0, _) => 1.0,
            (_, false) => 0.0,
            (d, true) => 1.0 - 0.5 * d.unsigned_abs() as f64 / self.allowed as f64,
        }
    }
}

impl CurrencyAllowance {
    /// The right amount as it is compared with left ones.
    pub fn adjusted(&self, right: i64) -> i128 {
        self.right_sign * i128::from(right)
    }

    /// `right` as its file has it, before any change of sign. Sums of up to 2^32 amounts are fine.
    pub fn distance(&self, left: i128, right: i128) -> AmountDistance {
        let right = self.right_sign * right;
        let larger = left.abs().max(right.abs());
        AmountDistance {
            difference: left - right,
            allowed: self.absolute.max(larger * self.millionths / 1_000_000),
        }
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

    /// The range of adjusted right amounts outside which nothing fits `left`. May be a little too wide.
    pub fn reach(&self, left: i64) -> RangeInclusive<i128> {
        self.reach_of(left.into())
    }

    fn reach_of(&self, left: i128) -> RangeInclusive<i128> {
        // |l - r| <= p max(|l|, |r|) implies |l - r| <= |l| p / (1 - p); with p = 1 everything is in reach.
        let relative = match 1_000_000 - self.millionths {
            0 => i128::MAX / 4,
            rest => left.abs() * self.millionths / rest + 1,
        };
        let relative = if self.millionths == 0 { 0 } else { relative };
        let reach = self.absolute.max(relative);
        left - reach..=left + reach
    }
}

/// A [`DateRule`] read once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// `None`: any distance.
    pub days: Option<i64>,
    direction: DateDirection,
}

impl Window {
    pub fn compile(rule: &DateRule) -> Self {
        Window { days: rule.window_days.map(i64::from), direction: rule.direction }
    }

    /// `days`: right minus left.
    pub fn admits(&self, days: i64) -> bool {
        let turned_right = match self.direction {
            DateDirection::Either => true,
            DateDirection::RightLater => days >= 0,
            DateDirection::LeftLater => days <= 0,
        };
        turned_right && self.days.is_none_or(|max| days.abs() <= max)
    }

    /// 1 for the same day, falling with every day, 0 outside the window.
    pub fn closeness(&self, days: i64) -> f64 {
        let distance = days.unsigned_abs() as f64;
        match self.days {
            _ if !self.admits(days) => 0.0,
            Some(max) => 1.0 - distance / (max + 1) as f64,
            // Without a window a month of distance costs half: a guess, only its direction matters.
            None => 30.0 / (30.0 + distance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(absolute: &str, percent: &str, currency: &str) -> CurrencyAllowance {
        let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
        let rule = AmountRule { absolute: text(absolute), percent: text(percent), ..AmountRule::default() };
        Allowance::compile(&rule).unwrap().in_currency(Currency::parse(currency).unwrap())
    }

    #[test]
    fn the_larger_allowance_counts_and_is_exact() {
        for (absolute, percent, currency, left, right, fits) in [
            ("", "", "EUR", 100, 100, true),
            ("", "", "EUR", 100, 101, false),
            ("0.05", "", "EUR", 1000, 1005, true),
            ("0.05", "", "EUR", 1000, 1006, false),
            ("0.05", "", "JPY", 1000, 1001, false),
            ("0.005", "", "KWD", 1000, 1005, true),
            ("", "0.5", "EUR", 1000, 995, true),
            ("", "0.5", "EUR", 1000, 994, false),
            ("0.05", "0.5", "EUR", 100, 105, true),
            ("0.05", "0.5", "EUR", 10_000, 10_050, true),
            ("", "100", "EUR", 5, 0, true),
            ("", "100", "EUR", 5, -1, false),
            ("", "0.5", "EUR", -1000, -1005, true),
            ("", "0.5", "EUR", -1000, 1000, false),
            ("", "100", "EUR", i64::MIN, i64::MAX, false),
        ] {
            let allowance = allowance(absolute, percent, currency);
            let distance = allowance.distance(left.into(), right.into());
            assert_eq!(distance.fits(), fits, "{left} {right} within {absolute} or {percent}%");
            if fits {
                assert!(allowance.reach(left).contains(&allowance.adjusted(right)), "{left} {right}");
            }
        }
    }

    #[test]
    fn closeness_never_grows_with_distance() {
        let allowance = allowance("1.00", "", "EUR");
        let window = Window { days: Some(5), direction: DateDirection::Either };
        let anywhere = Window { days: None, direction: DateDirection::Either };
        for step in 0..200 {
            let amount = |r| allowance.distance(1000, r).closeness();
            assert!(amount(1000 + step) >= amount(1001 + step));
            let (d, step) = (|w: Window, days| w.closeness(days), step as i64);
            assert!(d(window, step) >= d(window, step + 1) && d(anywhere, step) >= d(anywhere, step + 1));
        }
    }

    #[test]
    fn a_direction_says_which_side_may_be_later() {
        let window = |direction| Window { days: Some(2), direction };
        for (days, either, right_later, left_later) in [
            (-3, false, false, false),
            (-1, true, false, true),
            (0, true, true, true),
            (2, true, true, false),
        ] {
            assert_eq!(window(DateDirection::Either).admits(days), either);
            assert_eq!(window(DateDirection::RightLater).admits(days), right_later);
            assert_eq!(window(DateDirection::LeftLater).admits(days), left_later);
        }
    }
}
