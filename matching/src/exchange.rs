//! Converting amounts: the rate table of a rule set, ready for the inner loops.
//!
//! A rate is a fraction of whole numbers, and an amount is multiplied by it exactly (256 bits where 128 do not
//! do) and rounded once, to the minor unit of the currency it is converted into.
//!
//! Which rate counts, for a pair of currencies on a day: the latest *direct* one (`from` to `to`) of the days in the
//! window; without any, the latest *inverse* one (1 / rate of `to` to `from`); without any, the latest day on which
//! both `from` and `to` have a rate to or from the base, the *cross* rate being the product of both, each direct
//! rather than inverse.

mod several;
mod wide;

use crate::day::{format, parse};
use crate::{
    Currency, CurrencyRule, Rate, Records, Rounded, Rounding, Row, RuleError, RuleSet, decimal, tolerance,
};
use std::collections::BTreeMap;

/// Decimals of a rate; with eight digits before the point it has 18 at most and fits 64 bits.
const RATE_SCALE: u32 = 10;
const RATE_UNITS_MAX: u64 = 10u64.pow(8 + RATE_SCALE);
pub(crate) const RATES_MAX: usize = 50_000;
const RATE_WINDOW_DAYS: u32 = 5;
pub(crate) const RATE_WINDOW_DAYS_MAX: u32 = 366;

/// The rates of one pass between the currencies that the two sides have.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pairs: Vec<((Currency, Currency), Course)>,
    window_days: i32,
    rounding: Rounding,
    rounded: Rounded,
}

/// The rates of one pair of currencies, each list by day.
#[derive(Debug, Clone, Default)]
struct Course {
    direct: Vec<(i32, Factor)>,
    inverse: Vec<(i32, Factor)>,
    cross: Vec<(i32, Factor)>,
}

/// Minor units of one currency times `numerator / denominator` are minor units of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Factor {
    numerator: u128,
    denominator: u128,
}

/// Where a rate came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateKind {
    Direct,
    Inverse,
    Cross,
}

/// What an amount became, and by which rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Converted {
    /// Minor units of the currency converted into.
    pub amount: i64,
    /// The rate's day.
    pub day: i32,
    pub kind: RateKind,
    factor: Factor,
}

/// One record's amount in the currency of its counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    pub from: Currency,
    pub to: Currency,
    /// Minor units of `from`, as the file has it.
    pub amount: i64,
    /// Minor units of `to`. Of a sum that is rounded together, what the record adds to it.
    pub converted: i64,
    /// `to` for one `from`; rounded to ten decimals where it is inverse or cross.
    pub rate: String,
    /// `2026-01-31`; the day the rate is of.
    pub rate_date: String,
    pub kind: RateKind,
}

/// A table read once: units of 10^-10 by currencies and day.
pub(crate) type RateTable = BTreeMap<(Currency, Currency), BTreeMap<i32, u64>>;

/// Reads all rates. The mistakes name their place, `rate[7].date`.
pub(crate) fn read_rates(rules: &RuleSet) -> Result<RateTable, Vec<RuleError>> {
    let (mut table, mut errors) = (RateTable::new(), vec![]);
    if rules.rates.len() > RATES_MAX {
        let says = format!("{} rates; at most {RATES_MAX} are allowed", rules.rates.len());
        return Err(vec![RuleError { at: "rate".into(), says }]);
    }
    for (i, rate) in rules.rates.iter().enumerate() {
        let mut add = |field: &str, says: String| {
            let at = if field.is_empty() { format!("rate[{i}]") } else { format!("rate[{i}].{field}") };
            errors.push(RuleError { at, says });
        };
        let Rate { from, to, date, rate } = rate;
        let from = Currency::parse(from).map_err(|error| add("from", error.to_string())).ok();
        let to = Currency::parse(to).map_err(|error| add("to", error.to_string())).ok();
        let day = parse(date).map_err(|says| add("date", says)).ok();
        let units = read_rate(rate).map_err(|says| add("rate", says)).ok();
        let (Some(from), Some(to), Some(day), Some(units)) = (from, to, day, units) else { continue };
        if from == to {
            add("to", "must be another currency than from".into());
        } else if *table.entry((from, to)).or_default().entry(day).or_insert(units) != units {
            add("", format!("another rate from {from} to {to} on {date} stands before; keep one"));
        }
    }
    if errors.is_empty() { Ok(table) } else { Err(errors) }
}

fn read_rate(text: &str) -> Result<u64, String> {
    match decimal::parse(text, RATE_SCALE)? {
        0 => Err("must be more than 0".into()),
        units if units >= RATE_UNITS_MAX => Err("has more than 8 digits before the point".into()),
        units => Ok(units),
    }
}

/// `None` when the percentage is none.
pub(crate) fn percent_of(rule: &CurrencyRule) -> Result<u64, String> {
    rule.percent.as_deref().map_or(Ok(0), tolerance::percent_millionths)
}

impl Exchange {
    /// `from`: the currencies of the side that is converted; `into`: those of the other one.
    pub fn new(
        rule: &CurrencyRule,
        table: &RateTable,
        base: Option<Currency>,
        from: &[Currency],
        into: &[Currency],
    ) -> Self {
        let mut pairs = vec![];
        for &from in from {
            for &to in into.iter().filter(|&&to| to != from) {
                let course = Course::between(table, base, from, to);
                if !course.is_empty() {
                    pairs.push(((from, to), course));
                }
            }
        }
        let window_days = rule.rate_window_days.unwrap_or(RATE_WINDOW_DAYS) as i32;
        Exchange { pairs, window_days, rounding: rule.rounding, rounded: rule.rounded }
    }

    /// `None` without a rate of that day or one in the window before, or where the result is no amount.
    pub fn convert(&self, amount: i64, from: Currency, to: Currency, day: i32) -> Option<Converted> {
        let (kind, day, factor) = self.rate(from, to, day)?;
        Some(Converted { amount: factor.times(amount.into(), self.rounding)?, day, kind, factor })
    }

    /// With the day it is of. `None` without a rate of that day or one in the window before.
    fn rate(&self, from: Currency, to: Currency, day: i32) -> Option<(RateKind, i32, Factor)> {
        let (_, course) = self.pairs.iter().find(|(pair, _)| *pair == (from, to))?;
        course.on(day, self.window_days)
    }

    /// The currencies that `from` can be converted into.
    pub fn currencies_for(&self, from: Currency) -> impl Iterator<Item = Currency> + '_ {
        self.pairs.iter().filter(move |((f, _), _)| *f == from).map(|((_, to), _)| *to)
    }
}

impl Course {
    fn between(table: &RateTable, base: Option<Currency>, from: Currency, to: Currency) -> Self {
        let minor = |units: Option<(u128, u128)>| {
            let (numerator, denominator) = units?;
            Factor::in_minor_units(numerator, denominator, from, to)
        };
        let of = |from, to| table.get(&(from, to)).into_iter().flatten();
        let one = 10u128.pow(RATE_SCALE);
        let direct = of(from, to).filter_map(|(&day, &units)| Some((day, minor(Some((units.into(), one)))?)));
        let inverse =
            of(to, from).filter_map(|(&day, &units)| Some((day, minor(Some((one, units.into())))?)));
        let mut course = Course { direct: direct.collect(), inverse: inverse.collect(), cross: vec![] };
        if let Some(base) = base.filter(|&base| base != from && base != to) {
            let (first, second) = (leg(table, from, base), leg(table, base, to));
            let both = first.into_iter().filter_map(|(day, a)| {
                let b = second.get(&day)?;
                Some((day, minor(Some((a.0.checked_mul(b.0)?, a.1.checked_mul(b.1)?)))?))
            });
            course.cross = both.collect();
        }
        course
    }

    fn is_empty(&self) -> bool {
        self.direct.is_empty() && self.inverse.is_empty() && self.cross.is_empty()
    }

    fn on(&self, day: i32, window_days: i32) -> Option<(RateKind, i32, Factor)> {
        let kinds = [
            (RateKind::Direct, &self.direct),
            (RateKind::Inverse, &self.inverse),
            (RateKind::Cross, &self.cross),
        ];
        kinds.into_iter().find_map(|(kind, rates)| {
            let &(of, factor) = rates[..rates.partition_point(|&(of, _)| of <= day)].last()?;
            (i64::from(day) - i64::from(of) <= i64::from(window_days)).then_some((kind, of, factor))
        })
    }
}

/// Numerator and denominator by day, direct rather than inverse.
fn leg(table: &RateTable, from: Currency, to: Currency) -> BTreeMap<i32, (u128, u128)> {
    let one = 10u128.pow(RATE_SCALE);
    let of = |from, to| table.get(&(from, to)).into_iter().flatten();
    let mut leg: BTreeMap<i32, (u128, u128)> =
        of(to, from).map(|(&day, &units)| (day, (one, units.into()))).collect();
    leg.extend(of(from, to).map(|(&day, &units)| (day, (units.into(), one))));
    leg
}

impl Factor {
    /// Rounded once; `None` where the result is no amount.
    fn times(&self, amount: i128, rounding: Rounding) -> Option<i64> {
        let magnitude =
            wide::multiply_divide(amount.unsigned_abs(), self.numerator, self.denominator, rounding)?;
        let converted = i64::try_from(magnitude).ok()?;
        Some(if amount < 0 { -converted } else { converted })
    }

    /// From a factor of major units; `None` when even the shortened fraction does not fit.
    fn in_minor_units(numerator: u128, denominator: u128, from: Currency, to: Currency) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator);
        let (mut numerator, mut denominator) = (numerator / divisor, denominator / divisor);
        let (from, to) = (from.exponent(), to.exponent());
        if to >= from {
            numerator = numerator.checked_mul(10u128.pow(to - from))?;
        } else {
            denominator = denominator.checked_mul(10u128.pow(from - to))?;
        }
        Some(Factor { numerator, denominator })
    }
}

fn greatest_common_divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl Conversion {
    /// Of the left record in the right one's currency. `None` when both have the same, or no rate is there.
    pub(crate) fn of_pair(
        exchange: &Exchange,
        left: (&Records, Row),
        right: (&Records, Row),
    ) -> Option<Self> {
        let (from, to) = (left.0.currency(left.1), right.0.currency(right.1));
        let amount = left.0.amount(left.1);
        Some(Self::of(amount, from, to, exchange.convert(amount, from, to, left.0.date(left.1))?))
    }

    fn of(amount: i64, from: Currency, to: Currency, converted: Converted) -> Self {
        Conversion {
            from,
            to,
            amount,
            converted: converted.amount,
            rate: converted.rate(from, to),
            rate_date: format(converted.day),
            kind: converted.kind,
        }
    }

    /// `100.00 USD are 92.31 EUR at 0.9231 of 2026-01-30`.
    pub fn says(&self) -> String {
        let kind = match self.kind {
            RateKind::Direct => "",
            RateKind::Inverse => " (inverse)",
            RateKind::Cross => " (cross)",
        };
        let text = |minor: i64, currency: Currency| crate::format_minor(minor.into(), currency.exponent());
        let (amount, converted) = (text(self.amount, self.from), text(self.converted, self.to));
        let Conversion { from, to, rate, rate_date, .. } = self;
        format!("{amount} {from} are {converted} {to} at {rate} of {rate_date}{kind}")
    }
}

impl Converted {
    /// In major units, ten decimals at most.
    fn rate(&self, from: Currency, to: Currency) -> String {
        let (up, down) = (from.exponent() + RATE_SCALE, to.exponent());
        let units = wide::multiply_divide(
            10u128.pow(up - down.min(up)),
            self.factor.numerator,
            self.factor.denominator,
            Rounding::HalfUp,
        );
        let text =
            crate::format_minor(units.and_then(|u| i128::try_from(u).ok()).unwrap_or_default(), RATE_SCALE);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests;
