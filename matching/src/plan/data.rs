//! What the plans of all passes must know about both sides before the first one runs.

use super::Shape;
use crate::exchange::{Exchange, RateTable, read_rates};
use crate::{Currency, Records, RuleSet, Side, Watch};

/// What all passes must know about both sides.
pub(crate) struct Data<'r> {
    pub(super) rules: &'r RuleSet,
    pub(super) watch: Watch<'r>,
    left: Vec<Currency>,
    right: Vec<Currency>,
    /// First and last of both sides.
    pub(super) dates: (i32, i32),
    rates: RateTable,
    base: Option<Currency>,
}

impl<'r> Data<'r> {
    pub fn of(rules: &'r RuleSet, left: &Records, right: &Records, watch: Watch<'r>) -> Option<Self> {
        let (mut first, mut last) = (i32::MAX, i32::MIN);
        for &date in left.dates.iter().chain(&right.dates) {
            (first, last) = (first.min(date), last.max(date));
        }
        let base = match &rules.rate_base {
            Some(code) => Some(Currency::parse(code).ok()?),
            None => None,
        };
        Some(Data {
            rules,
            watch,
            left: currencies(left),
            right: currencies(right),
            dates: if first <= last { (first, last) } else { (0, 0) },
            rates: read_rates(rules).ok()?,
            base,
        })
    }

    pub(super) fn all(&self) -> Vec<Currency> {
        let more = self.right.iter().filter(|currency| !self.left.contains(currency));
        self.left.iter().chain(more).copied().collect()
    }

    pub(super) fn of_side(&self, side: Side) -> &[Currency] {
        if side == Side::Left { &self.left } else { &self.right }
    }

    pub(super) fn exchange(&self, rule: &crate::CurrencyRule, shape: Shape) -> Exchange {
        let from = shape.converted();
        Exchange::new(rule, &self.rates, self.base, self.of_side(from), self.of_side(from.other()))
    }
}

/// Each once.
pub(crate) fn currencies(records: &Records) -> Vec<Currency> {
    let mut found = vec![];
    for &currency in &records.currencies {
        if found.last() != Some(&currency) && !found.contains(&currency) {
            found.push(currency);
        }
    }
    found
}
