//! What speaks for a pairing: one sum of weights that is both the confidence and its explanation.

use crate::fees::Fee;
use crate::plan::{Plan, Shape};
use crate::tolerance::AmountDistance;
use crate::{Confidence, Currency, Reason, Records, Row, Side, format_minor};

/// The evidence of one pairing under one pass, as numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evidence {
    pub key: Option<KeyEvidence>,
    pub amount: AmountDistance,
    /// Right minus left, in the days of the pass's window; of a group the one farthest away.
    pub days: i64,
    /// Similarity of the texts, 0 to 1.
    pub text: Option<f64>,
    /// Left and right records, of sums.
    pub group: Option<(u32, u32)>,
    /// How many records a search chose the group from; 0 when it did not.
    pub in_reach: u32,
    /// The fee that explains the difference.
    pub fee: Option<Fee>,
    /// How much of the larger amount the smaller one settles, where the rest may stay open.
    pub settled: Option<Settled>,
}

/// A part payment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settled {
    /// Above 0 and below 1.
    pub share: f64,
    /// Whose amount is the larger one.
    pub larger: Side,
}

/// A key that both have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KeyEvidence {
    /// How many pairs of records the key joins: 1 when it identifies both. Always 1 for keys that are not
    /// tokens, for these were declared to identify. With [`Self::BARE`] set, the number of one of the records has
    /// no prefix.
    pub spread: u32,
}

impl KeyEvidence {
    /// A token that joins more pairs is a common number, not a reference.
    pub const SPREAD_MAX: usize = 100;
    /// A bit of [`Self::spread`], so that a candidate pair stays at 16 bytes: the records share a number that one of
    /// them writes without the prefix of its series, see [`crate::series`].
    pub const BARE: u32 = 1 << 31;
    /// By judgement: with amount and day equal, such a number is still worth more than one that joins three pairs.
    const BARE_STRENGTH: f64 = 0.6;

    pub fn is_bare(self) -> bool {
        self.spread & Self::BARE != 0
    }

    /// How many pairs of records the key joins, at least 1.
    fn pairings(self) -> u32 {
        (self.spread & !Self::BARE).max(1)
    }

    /// 1 for an identifying key, 0.1 for the most common one that still counts; less for a number without prefix.
    fn strength(self) -> f64 {
        let whole = if self.is_bare() { Self::BARE_STRENGTH } else { 1.0 };
        whole / f64::from(self.pairings()).sqrt()
    }
}

/// What each kind of evidence adds at its best; the parts of a pass add up to its highest confidence.
///
/// First values, set by judgement and tried on files with known truth, not learned: a key alone is worth
/// more than the rest, amount and date without key or text can never be sure, and inside a window of a
/// working week one day more or less is worth more than the default margin of ambiguity.
struct Weights {
    key: f64,
    amount: f64,
    date: f64,
    text: f64,
}

/// A difference that a fee explains exactly counts nearly as much as none.
const FEE_CLOSENESS: f64 = 0.9;
/// A part payment counts less than an amount at the edge of its allowance, and the less the less it settles.
const SETTLED_CLOSENESS: f64 = 0.5;

impl Weights {
    const fn of(key: bool, text: bool) -> Self {
        match (key, text) {
            (true, false) => Weights { key: 0.67, amount: 0.19, date: 0.14, text: 0.0 },
            (true, true) => Weights { key: 0.55, amount: 0.16, date: 0.14, text: 0.15 },
            (false, true) => Weights { key: 0.0, amount: 0.30, date: 0.15, text: 0.55 },
            (false, false) => Weights { key: 0.0, amount: 0.50, date: 0.20, text: 0.0 },
        }
    }
}

impl Evidence {
    /// For two records, all but their texts; whether it fits the rule or not.
    pub fn of_pair(
        plan: &Plan<'_>,
        left: (&Records, Row),
        right: (&Records, Row),
        key: Option<KeyEvidence>,
    ) -> Self {
        // Amounts that cannot be compared are, for a look at the records all the same, taken as they stand.
        let as_they_stand = || {
            let allowance = plan.allowance.in_currency(right.0.currency(right.1));
            allowance.distance(left.0.amount(left.1).into(), right.0.amount(right.1).into())
        };
        Evidence {
            key,
            amount: plan.amounts(left, right).unwrap_or_else(as_they_stand),
            days: plan.window.distance(left.0.date(left.1), right.0.date(right.1)),
            text: None,
            group: None,
            in_reach: 0,
            fee: None,
            settled: None,
        }
    }

    /// Amount and date inside what the pass allows. Says nothing about the text's minimum.
    pub fn fits(&self, plan: &Plan<'_>) -> bool {
        self.amount_fits() && self.in_window(plan)
    }

    pub fn amount_fits(&self) -> bool {
        self.amount.fits() || self.fee.is_some() || self.settled.is_some()
    }

    pub fn in_window(&self, plan: &Plan<'_>) -> bool {
        plan.window.admits(self.days)
    }

    /// The sum of [`Self::weights`], so that what a person adds up is what the program compared.
    pub fn confidence(&self, plan: &Plan<'_>) -> Confidence {
        Confidence::from_f64(self.weights(plan).iter().sum())
    }

    /// Key, amount, date, text. An amount or date outside the rule counts against the pairing.
    fn weights(&self, plan: &Plan<'_>) -> [f64; 4] {
        let weights = Weights::of(self.key.is_some(), self.text.is_some());
        let amount = match (self.amount.fits(), self.fee, self.settled) {
            (true, _, _) => self.amount.closeness(),
            (false, Some(_), _) => FEE_CLOSENESS,
            (false, None, Some(settled)) => SETTLED_CLOSENESS * settled.share,
            (false, None, None) => -0.5,
        };
        let date = if self.in_window(plan) { plan.window.closeness(self.days) } else { -0.5 };
        [
            weights.key * self.key.map_or(0.0, |k| k.strength()),
            weights.amount * amount,
            weights.date * date,
            weights.text * self.text.unwrap_or(0.0),
        ]
    }

    /// The same in words. `shared`: field and text of each key, from [`crate::plan::KeyPlan::shared`].
    pub fn reasons(&self, plan: &Plan<'_>, currency: Currency, shared: &[(String, String)]) -> Vec<Reason> {
        let [key, amount, date, text] = self.weights(plan).map(|w| (w * 1e6).round() / 1e6);
        let mut reasons = Vec::with_capacity(3 + shared.len());
        let mut add = |field: &str, says: String, weight| {
            reasons.push(Reason { field: field.to_owned(), says, weight })
        };
        for (i, (field, value)) in shared.iter().enumerate() {
            // Several keys are one piece of evidence together: the first carries the weight of all.
            let weight = if i == 0 { key } else { 0.0 };
            let bare =
                if self.key.is_some_and(KeyEvidence::is_bare) { ", once without a prefix" } else { "" };
            match self.key.map_or(1, KeyEvidence::pairings) {
                1 => add(field, format!("{field} {value} on both sides{bare}"), weight),
                n => add(field, format!("{field} {value} on both sides{bare}, as in {n} pairings"), weight),
            }
        }
        match self.group {
            None => add("amount", self.says_amount(plan, currency), amount),
            Some((left, right)) => {
                let of = match (self.in_reach, left, right) {
                    (n, _, _) if n > 0 && plan.shape() == Shape::Groups => {
                        format!("only sums of their kind, {left} and {right} of {n} in reach")
                    }
                    (0, 1, n) | (0, n, 1) => format!("sum of {n}"),
                    (0, _, _) => format!("sums of {left} and {right}"),
                    (n, _, _) => format!("only sum of its kind, {} of {n} in reach", left.max(right)),
                };
                add("sum", format!("{of}: {}", self.says_amount(plan, currency)), amount);
            }
        }
        add("date", says_days(self.days, plan.window.counts_business_days()), date);
        if let Some(similarity) = self.text {
            add("text", format!("texts {:.0} % alike", similarity * 100.0), text);
        }
        reasons
    }

    fn says_amount(&self, plan: &Plan<'_>, currency: Currency) -> String {
        if self.amount.difference == 0 {
            return "amount equal".into();
        }
        let difference = format_minor(self.amount.difference.abs(), currency.exponent());
        let side = if self.amount.difference > 0 { "left" } else { "right" };
        if let (false, Some(fee)) = (self.amount.fits(), self.fee) {
            let of = match fee.learned_from {
                0 => String::new(),
                n => format!(", as in {n} deposits"),
            };
            return format!("{side} is {difference} {currency} more, a fee of {}{of}", fee.says());
        }
        if self.settled.is_some() && !self.amount.fits() {
            return format!("{side} is {difference} {currency} more, which stays open");
        }
        if let Some(allowed) = self.amount.named.and_then(|i| plan.pass.amount.allowed.get(usize::from(i))) {
            return format!("{side} is {difference} {currency} more: {}", allowed.name.trim());
        }
        let within = if self.amount.fits() { "within" } else { "outside" };
        format!("{side} is {difference} {currency} more, {within} the allowance")
    }
}

pub(crate) fn says_days(days: i64, are_business_days: bool) -> String {
    let business = if are_business_days { "business " } else { "" };
    let side = if days > 0 { "right" } else { "left" };
    match days.unsigned_abs() {
        0 => format!("same {business}day"),
        1 => format!("{side} 1 {business}day later"),
        n => format!("{side} {n} {business}days later"),
    }
}
