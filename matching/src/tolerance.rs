//! How far amounts and dates may be apart: [`AmountRule`] and [`DateRule`] ready for the inner loops.

use crate::calendar::{BusinessDays, Calendar};
use crate::watch::steps::steps;
use crate::{
    AllowedDifference, AmountRule, Currency, DateDirection, DateRule, LesserSide, RuleSet, Side, decimal,
};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Decimals an absolute allowance may have: enough for every currency, and six times finer than a cent.
const ABSOLUTE_SCALE: u32 = 6;
/// `percent` has at most four decimals, so it is a whole number of millionths of the amount.
const PERCENT_SCALE: u32 = 4;
const NAMED_MAX: usize = 8;
const NAME_CHARS_MAX: usize = 200;

/// An [`AmountRule`] read once.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    absolute_millionths: u64,
    percent_millionths: u64,
    pub flip_sign: bool,
    named: Vec<NamedAllowance>,
    /// Worked out beforehand, since asking for a currency's decimals is slow and done for every pair.
    prepared: Vec<(Currency, Work)>,
}

/// An [`AllowedDifference`] read once.
#[derive(Debug, Clone, Copy)]
struct NamedAllowance {
    absolute_millionths: u64,
    percent_millionths: u64,
    side: LesserSide,
}

/// All of an [`Allowance`] in one currency.
#[derive(Debug, Clone)]
struct Work {
    absolute: i128,
    named: Vec<NamedBound>,
}

/// One [`NamedAllowance`] in minor units.
#[derive(Debug, Clone, Copy)]
struct NamedBound {
    absolute: i128,
    millionths: i128,
    side: LesserSide,
}

impl Allowance {
    /// All mistakes, each with the name of the field it is in.
    pub fn compile(rule: &AmountRule) -> Result<Self, Vec<(String, String)>> {
        let mut errors = vec![];
        let (absolute_millionths, percent_millionths) =
            read_bound("", &rule.absolute, &rule.percent, &mut errors);
        if rule.allowed.len() > NAMED_MAX {
            errors.push(("allowed".into(), format!("at most {NAMED_MAX} differences can be named")));
        }
        let mut named = vec![];
        for (i, difference) in rule.allowed.iter().enumerate() {
            let AllowedDifference { name, absolute, percent, side } = difference;
            let at = format!("allowed[{i}].");
            if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
                let says =
                    format!("must have 1 to {NAME_CHARS_MAX} characters: it is the reason of the match");
                errors.push((format!("{at}name"), says));
            }
            if absolute.is_none() && percent.is_none() {
                errors.push((
                    format!("{at}absolute"),
                    "is needed, or percent: how large may the difference be?".into(),
                ));
            }
            let (absolute_millionths, percent_millionths) = read_bound(&at, absolute, percent, &mut errors);
            named.push(NamedAllowance { absolute_millionths, percent_millionths, side: *side });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Allowance {
            absolute_millionths,
            percent_millionths,
            flip_sign: rule.flip_sign,
            named,
            prepared: vec![],
        })
    }

    /// Between converted amounts a pass may allow more.
    pub fn with_percent(mut self, percent_millionths: u64) -> Self {
        self.percent_millionths = self.percent_millionths.max(percent_millionths);
        self
    }

    /// Makes [`Self::in_currency`] fast for these currencies. Named differences are known in these only.
    pub fn prepare(&mut self, currencies: &[Currency]) {
        self.prepared = currencies.iter().map(|&c| (c, self.work_out(c))).collect();
    }

    /// An absolute allowance finer than the currency's minor unit is rounded down: 0.05 is nothing in JPY.
    pub fn in_currency(&self, currency: Currency) -> CurrencyAllowance<'_> {
        let prepared = self.prepared.iter().find(|(c, _)| *c == currency);
        let (absolute, named): (i128, &[NamedBound]) = match prepared {
            Some((_, work)) => (work.absolute, &work.named),
            None => (minor_units(self.absolute_millionths, currency), &[]),
        };
        CurrencyAllowance {
            absolute,
            millionths: i128::from(self.percent_millionths),
            right_sign: if self.flip_sign { -1 } else { 1 },
            named,
        }
    }

    fn work_out(&self, currency: Currency) -> Work {
        let bound = |named: &NamedAllowance| NamedBound {
            absolute: minor_units(named.absolute_millionths, currency),
            millionths: i128::from(named.percent_millionths),
            side: named.side,
        };
        Work {
            absolute: minor_units(self.absolute_millionths, currency),
            named: self.named.iter().map(bound).collect(),
        }
    }
}

fn minor_units(millionths: u64, currency: Currency) -> i128 {
    i128::from(millionths) * 10i128.pow(currency.exponent()) / 1_000_000
}

/// Absolute and percentage, 0 where there is none or a mistake.
fn read_bound(
    at: &str,
    absolute: &Option<String>,
    percent: &Option<String>,
    errors: &mut Vec<(String, String)>,
) -> (u64, u64) {
    let mut read = |field: &str, text: &Option<String>, scale| {
        let value = text.as_deref().map_or(Ok(0), |text| decimal::parse(text, scale));
        value.unwrap_or_else(|says| {
            errors.push((format!("{at}{field}"), says));
            0
        })
    };
    let bound = (read("absolute", absolute, ABSOLUTE_SCALE), read("percent", percent, PERCENT_SCALE));
    if bound.1 > 1_000_000 {
        errors.push((format!("{at}percent"), "must be between 0 and 100".into()));
    }
    bound
}

/// An [`Allowance`] in minor units of one currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrencyAllowance<'a> {
    absolute: i128,
    millionths: i128,
    right_sign: i128,
    named: &'a [NamedBound],
}

/// Two amounts set side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AmountDistance {
    /// Left minus sign-adjusted right, minor units.
    pub difference: i128,
    /// What was allowed, minor units.
    pub allowed: i128,
    /// The difference is larger than that and still right: index into [`AmountRule::allowed`].
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
            allowed: self.absolute.max(larger * self.millionths / 1_000_000),
            named: None,
        };
        if self.named.is_empty() || difference.abs() <= distance.allowed {
            return distance;
        }
        let bounds = self.named.iter().enumerate();
        let mut covering = bounds.filter_map(|(i, bound)| {
            let allowed = bound.absolute.max(larger * bound.millionths / 1_000_000);
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
        let relative = |millionths: i128| larger * millionths / 1_000_000;
        let named = self.named.iter().map(|bound| bound.absolute.max(relative(bound.millionths)));
        named.fold(self.absolute.max(relative(self.millionths)), i128::max)
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

/// Per cent as a whole number of millionths of the amount; a mistake is a plain sentence.
pub(crate) fn percent_millionths(text: &str) -> Result<u64, String> {
    let millionths = decimal::parse(text, PERCENT_SCALE)?;
    if millionths > 1_000_000 { Err("must be between 0 and 100".into()) } else { Ok(millionths) }
}

/// A [`DateRule`] read once.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Calendar days that the window spans at most, to look for candidates in; `None`: any distance.
    pub days: Option<i64>,
    /// In the unit of [`Self::distance`].
    max: Option<i64>,
    /// Days are counted by it, when they are business days.
    business: Option<Arc<BusinessDays>>,
    direction: DateDirection,
}

impl Window {
    /// `dates`: the first and the last of both sides. `None` for a calendar that nobody knows.
    pub fn compile(rule: &DateRule, rules: &RuleSet, dates: (i32, i32)) -> Option<Self> {
        let Some(business_days) = rule.window_business_days else {
            let days = rule.window_days.map(i64::from);
            return Some(Window { days, max: days, business: None, direction: rule.direction });
        };
        let table = Calendar::named(rule.calendar.as_deref(), rules)?.table(dates.0, dates.1);
        Some(Window {
            days: Some(table.calendar_days_max(business_days.into())),
            max: Some(business_days.into()),
            business: Some(Arc::new(table)),
            direction: rule.direction,
        })
    }

    /// From the left date to the right one, in the window's own days.
    pub fn distance(&self, left: i32, right: i32) -> i64 {
        match &self.business {
            None => i64::from(right) - i64::from(left),
            Some(business) => business.between(left, right),
        }
    }

    pub fn counts_business_days(&self) -> bool {
        self.business.is_some()
    }

    /// `days`: see [`Self::distance`].
    pub fn admits(&self, days: i64) -> bool {
        let turned_right = match self.direction {
            DateDirection::Either => true,
            DateDirection::RightLater => days >= 0,
            DateDirection::LeftLater => days <= 0,
        };
        turned_right && self.max.is_none_or(|max| days.abs() <= max)
    }

    /// 1 for the same day, falling with every day, 0 outside the window.
    pub fn closeness(&self, days: i64) -> f64 {
        let distance = days.unsigned_abs() as f64;
        match self.max {
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

    fn allowance(absolute: &str, percent: &str) -> Allowance {
        let text = |t: &str| (!t.is_empty()).then(|| t.to_owned());
        let rule = AmountRule { absolute: text(absolute), percent: text(percent), ..AmountRule::default() };
        Allowance::compile(&rule).unwrap()
    }

    fn window(days: Option<i64>, direction: DateDirection) -> Window {
        Window { days, max: days, business: None, direction }
    }

    #[test]
    fn a_named_difference_counts_on_its_side_only() {
        let named = |name: &str, absolute: &str, side| AllowedDifference {
            name: name.into(),
            absolute: Some(absolute.into()),
            percent: None,
            side,
        };
        let rule = AmountRule {
            absolute: Some("0.05".into()),
            allowed: vec![
                named("charge", "15.00", LesserSide::LeftLess),
                named("rounding", "0.50", LesserSide::Either),
            ],
            ..AmountRule::default()
        };
        let mut allowance = Allowance::compile(&rule).unwrap();
        let euro = Currency::parse("EUR").unwrap();
        allowance.prepare(&[euro]);
        let allowance = allowance.in_currency(euro);
        for (left, right, fits, name) in [
            (100_000, 100_000, true, None),
            (99_996, 100_000, true, None),
            (98_500, 100_000, true, Some(0)),
            (98_499, 100_000, false, None),
            (100_050, 100_000, true, Some(1)),
            (100_051, 100_000, false, None),
            (-101_500, -100_000, true, Some(0)),
        ] {
            let distance = allowance.distance(left.into(), right.into());
            assert_eq!((distance.fits(), distance.named), (fits, name), "{left} {right}");
            if fits {
                assert!(allowance.reach(left).contains(&allowance.adjusted(right)), "{left} {right}");
            }
        }
    }

    #[test]
    fn whatever_fits_is_in_reach_in_the_signs_of_the_file() {
        let amounts = [0, 1, -1, 95, 100, 105, -100, 10_000, -10_049, i64::MAX, i64::MIN, i64::MIN + 1];
        for (flip_sign, percent) in [(false, "0.5"), (true, "5"), (false, "100"), (true, "100")] {
            let rule = AmountRule {
                flip_sign,
                absolute: Some("0.05".into()),
                percent: Some(percent.into()),
                ..AmountRule::default()
            };
            let allowance = Allowance::compile(&rule).unwrap();
            let allowance = allowance.in_currency(Currency::parse("EUR").unwrap());
            for (left, right) in amounts.iter().flat_map(|&l| amounts.map(|r| (l, r))) {
                let (low, high) = allowance.reach_in_file(left);
                let fits = allowance.distance(left.into(), right.into()).fits();
                assert!(!fits || (low..=high).contains(&right), "{left} {right} {flip_sign} {percent}");
            }
        }
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
            let allowance = allowance(absolute, percent);
            let allowance = allowance.in_currency(Currency::parse(currency).unwrap());
            let distance = allowance.distance(left.into(), right.into());
            assert_eq!(distance.fits(), fits, "{left} {right} within {absolute} or {percent}%");
            if fits {
                assert!(allowance.reach(left).contains(&allowance.adjusted(right)), "{left} {right}");
            }
        }
    }

    #[test]
    fn closeness_never_grows_with_distance() {
        let allowance = allowance("1.00", "");
        let allowance = allowance.in_currency(Currency::parse("EUR").unwrap());
        let (near, anywhere) = (window(Some(5), DateDirection::Either), window(None, DateDirection::Either));
        for step in 0..200 {
            let amount = |r| allowance.distance(1000, r).closeness();
            assert!(amount(1000 + step) >= amount(1001 + step));
            let (d, step) = (|w: &Window, days| w.closeness(days), step as i64);
            assert!(d(&near, step) >= d(&near, step + 1) && d(&anywhere, step) >= d(&anywhere, step + 1));
        }
    }

    #[test]
    fn a_direction_says_which_side_may_be_later() {
        let window = |direction| window(Some(2), direction);
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
