//! How far amounts and dates may be apart: [`AmountRule`] and [`crate::DateRule`] ready for the inner loops.

mod in_currency;
mod window;

pub(crate) use in_currency::{AmountDistance, CurrencyAllowance};
pub(crate) use window::Window;

use crate::{AllowedDifference, AmountRule, Currency, LesserSide, decimal};

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

/// Per cent as a whole number of millionths of the amount; a mistake is a plain sentence.
pub(crate) fn percent_millionths(text: &str) -> Result<u64, String> {
    let millionths = decimal::parse(text, PERCENT_SCALE)?;
    if millionths > 1_000_000 { Err("must be between 0 and 100".into()) } else { Ok(millionths) }
}

#[cfg(test)]
mod tests;
