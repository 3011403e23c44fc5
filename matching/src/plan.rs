//! A pass of the rule set made ready to run on two sides.

mod data;
mod key_plan;

pub(crate) use data::{Data, currencies};
pub(crate) use key_plan::KeyPlan;

use crate::exchange::{Conversion, Exchange, percent_of};
use crate::fees::Fee;
use crate::keys::Column;
use crate::learned::LearnedPlan;
use crate::tolerance::{Allowance, AmountDistance, Window};
use crate::{Cardinality, Confidence, Currency, Pass, Records, Row, RuleSet, Side, TextRule, Watch};
use std::borrow::Cow;

/// A [`Pass`] with its names looked up and its numbers read. Made only from checked rules.
pub(crate) struct Plan<'r> {
    pub index: u16,
    pub pass: Cow<'r, Pass>,
    pub threshold: Confidence,
    pub margin: Confidence,
    pub keys: KeyPlan,
    /// Two records with different ones of these are no candidates.
    pub conflict: KeyPlan,
    pub allowance: Allowance,
    /// There when the pass compares different currencies.
    pub exchange: Option<ExchangePlan>,
    pub window: Window,
    pub text: Option<TextPlan>,
    /// Matches whose texts are less alike are only suggested.
    pub doubt: Option<TextPlan>,
    pub fee: FeePlan,
    pub search: Option<SearchPlan>,
    pub learned: Option<LearnedPlan>,
}

/// What a pass sets side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Record and record.
    Pairs,
    /// A single record of this side and a group of the other.
    Sums(Side),
    /// Group and group.
    Groups,
}

/// How a pass compares amounts in different currencies.
pub(crate) struct ExchangePlan {
    pub rates: Exchange,
    /// Of amounts in different currencies.
    pub allowance: Allowance,
}

/// What of a sum may be kept back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FeePlan {
    Nothing,
    Given(Fee),
    Learned,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SearchPlan {
    pub records_max: usize,
}

/// The columns of a text rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextPlan {
    pub left: Vec<Column>,
    pub right: Vec<Column>,
    pub min: f64,
    pub silent: Option<Side>,
}

impl<'r> Plan<'r> {
    /// In the order of the file; [`RuleSet::passes_in_order`] says when each runs. `None` when the rules name a
    /// field that is not there or hold a number that is not one; such rules do not pass [`RuleSet::check`].
    ///
    /// Of use only if `watch` has not said stop by then: what is looked for in the records is cut short.
    pub fn for_all(
        rules: &'r RuleSet,
        left: &Records,
        right: &Records,
        watch: Watch<'_>,
    ) -> Option<Vec<Self>> {
        let data = Data::of(rules, left, right, watch)?;
        let plans = rules.passes.iter().enumerate();
        plans.map(|(i, pass)| Self::of(i as u16, Cow::Borrowed(pass), left, right, &data)).collect()
    }

    pub fn of(
        index: u16,
        pass: Cow<'r, Pass>,
        left: &Records,
        right: &Records,
        data: &Data<'_>,
    ) -> Option<Self> {
        let lists = match Shape::of(&pass) {
            Shape::Sums(side) => Some(side),
            Shape::Pairs | Shape::Groups => None,
        };
        let keys = KeyPlan::of(&pass.keys, left, right, lists)?;
        let conflict = KeyPlan::of(&pass.conflict, left, right, None)?;
        let columns = |names: &[String], records: &Records| {
            names.iter().map(|n| Column::resolve(records, n)).collect::<Option<Vec<_>>>()
        };
        let texts = |rule: &Option<TextRule>| match rule {
            None => Some(None),
            Some(rule) => {
                let (left, right) = (columns(&rule.left, left)?, columns(&rule.right, right)?);
                Some(Some(TextPlan { left, right, min: rule.min, silent: rule.silent }))
            }
        };
        let (text, doubt) = (texts(&pass.text)?, texts(&pass.doubt)?);
        let mut allowance = Allowance::compile(&pass.amount).ok()?;
        allowance.prepare(&data.all());
        let exchange = match &pass.currency {
            Some(rule) if rule.convert => {
                let shape = Shape::of(&pass);
                let (rates, percent) = (data.exchange(rule, shape), percent_of(rule).ok()?);
                let mut allowance = Allowance::compile(&pass.amount).ok()?.with_percent(percent);
                allowance.prepare(data.of_side(shape.converted().other()));
                Some(ExchangePlan { rates, allowance })
            }
            _ => None,
        };
        let fee = match pass.amount.fee.as_ref().map(Fee::compile) {
            None => FeePlan::Nothing,
            Some(Ok(Some(fee))) => FeePlan::Given(fee),
            Some(Ok(None)) => FeePlan::Learned,
            Some(Err(_)) => return None,
        };
        let search = pass.search.as_ref().map(|s| SearchPlan { records_max: s.records_max as usize });
        let window = Window::compile(&pass.date, data.rules, data.dates)?;
        let threshold = Confidence::from_f64(pass.threshold.unwrap_or(data.rules.threshold));
        let margin = Confidence::from_f64(pass.ambiguity_margin.unwrap_or(data.rules.ambiguity_margin));
        let learned = match &pass.learned {
            None => None,
            Some(rule) => Some(LearnedPlan::of(rule, &pass, (left, right), data.watch)?),
        };
        Some(Plan {
            index,
            pass,
            threshold,
            margin,
            keys,
            conflict,
            allowance,
            exchange,
            window,
            text,
            doubt,
            fee,
            search,
            learned,
        })
    }

    /// Two amounts in the right record's currency. `None` where the currencies differ and the pass does not
    /// convert, or has no rate.
    pub fn amounts(&self, left: (&Records, Row), right: (&Records, Row)) -> Option<AmountDistance> {
        let (from, to) = (left.0.currency(left.1), right.0.currency(right.1));
        let (amount, other) = (left.0.amount(left.1), i128::from(right.0.amount(right.1)));
        if from == to {
            return Some(self.allowance.in_currency(to).distance(amount.into(), other));
        }
        let exchange = self.exchange.as_ref()?;
        let converted = exchange.rates.convert(amount, from, to, left.0.date(left.1))?;
        Some(exchange.allowance.in_currency(to).distance(converted.amount.into(), other))
    }

    /// What the left amount became to be compared with the right one.
    pub fn conversion(&self, left: (&Records, Row), right: (&Records, Row)) -> Option<Conversion> {
        Conversion::of_pair(&self.exchange.as_ref()?.rates, left, right)
    }

    /// Of the records of a side that are in another currency than `into`, in which they were compared.
    pub fn conversions(&self, into: Currency, records: &Records, rows: &[Row]) -> Vec<(Row, Conversion)> {
        let Some(exchange) = &self.exchange else { return vec![] };
        let conversions = exchange.rates.conversions(records, rows, into).unwrap_or_default();
        rows.iter().zip(conversions).filter_map(|(&row, conversion)| Some((row, conversion?))).collect()
    }

    pub fn shape(&self) -> Shape {
        Shape::of(&self.pass)
    }
}

impl Shape {
    fn of(pass: &Pass) -> Self {
        match pass.cardinality {
            Cardinality::OneToOne => Shape::Pairs,
            Cardinality::OneToMany => Shape::Sums(Side::Left),
            Cardinality::ManyToOne => Shape::Sums(Side::Right),
            Cardinality::ManyToMany => Shape::Groups,
        }
    }

    /// The side whose amounts are converted: of a single record and a sum the sum.
    pub fn converted(self) -> Side {
        match self {
            Shape::Pairs | Shape::Groups => Side::Left,
            Shape::Sums(one) => one.other(),
        }
    }
}
