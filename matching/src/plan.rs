//! A pass of the rule set made ready to run on two sides.

use crate::fees::Fee;
use crate::keys::{Column, Fingerprint, KeyHasher, each_token, with_normalised};
use crate::learned::LearnedPlan;
use crate::tolerance::{Allowance, Window};
use crate::{Cardinality, Currency, Normalise, Pass, Records, Row, RuleSet, Side};
use std::borrow::Cow;

/// A [`Pass`] with its names looked up and its numbers read. Made only from checked rules.
pub(crate) struct Plan<'r> {
    pub index: u16,
    pub pass: Cow<'r, Pass>,
    pub keys: KeyPlan,
    pub allowance: Allowance,
    pub window: Window,
    pub text: Option<TextPlan>,
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

/// The keys of one pass on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPlan {
    parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyPart {
    left: Column,
    right: Column,
    how: Normalise,
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
    /// `None` when the rules name a field that is not there or hold a number that is not one; such rules do
    /// not pass [`RuleSet::check`].
    pub fn for_all(rules: &'r RuleSet, left: &Records, right: &Records) -> Option<Vec<Self>> {
        let mut currencies = vec![];
        for currency in [left, right].into_iter().flat_map(|r| r.rows().map(|row| r.currency(row))) {
            if currencies.last() != Some(&currency) && !currencies.contains(&currency) {
                currencies.push(currency);
            }
        }
        let plans = rules.passes.iter().enumerate();
        plans.map(|(i, pass)| Self::of(i as u16, Cow::Borrowed(pass), left, right, &currencies)).collect()
    }

    /// `currencies`: those whose decimals are worth looking up beforehand.
    pub fn of(
        index: u16,
        pass: Cow<'r, Pass>,
        left: &Records,
        right: &Records,
        currencies: &[Currency],
    ) -> Option<Self> {
        let part = |key: &crate::Key| {
            let (left, right) = (Column::resolve(left, &key.left)?, Column::resolve(right, &key.right)?);
            Some(KeyPart { left, right, how: key.normalise })
        };
        let keys = KeyPlan { parts: pass.keys.iter().map(part).collect::<Option<_>>()? };
        let columns = |names: &[String], records: &Records| {
            names.iter().map(|n| Column::resolve(records, n)).collect::<Option<Vec<_>>>()
        };
        let text = match &pass.text {
            None => None,
            Some(rule) => {
                let (left, right) = (columns(&rule.left, left)?, columns(&rule.right, right)?);
                Some(TextPlan { left, right, min: rule.min, silent: rule.silent })
            }
        };
        let mut allowance = Allowance::compile(&pass.amount).ok()?;
        allowance.prepare(currencies);
        let fee = match pass.amount.fee.as_ref().map(Fee::compile) {
            None => FeePlan::Nothing,
            Some(Ok(Some(fee))) => FeePlan::Given(fee),
            Some(Ok(None)) => FeePlan::Learned,
            Some(Err(_)) => return None,
        };
        let search = pass.search.as_ref().map(|s| SearchPlan { records_max: s.records_max as usize });
        let window = Window::compile(&pass.date);
        let learned = match &pass.learned {
            None => None,
            Some(rule) => Some(LearnedPlan::of(rule, &pass, left, right)?),
        };
        Some(Plan { index, pass, keys, allowance, window, text, fee, search, learned })
    }

    pub fn shape(&self) -> Shape {
        match self.pass.cardinality {
            Cardinality::OneToOne => Shape::Pairs,
            Cardinality::OneToMany => Shape::Sums(Side::Left),
            Cardinality::ManyToOne => Shape::Sums(Side::Right),
            Cardinality::ManyToMany => Shape::Groups,
        }
    }
}

impl KeyPlan {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn has_tokens(&self) -> bool {
        self.parts.iter().any(|p| p.how == Normalise::Tokens)
    }

    /// Whether both read the records of a side in the same way, so that equal keys of one are equal for the
    /// other.
    pub fn reads_as(&self, other: &KeyPlan, side: Side) -> bool {
        let same = |(a, b): (&KeyPart, &KeyPart)| a.column(side) == b.column(side) && a.how == b.how;
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(same)
    }

    pub fn reads_id(&self, side: Side) -> bool {
        self.parts.iter().any(|p| p.column(side) == Column::Id)
    }

    /// The key as one value, tokens taken as whole texts. `None` when a part is empty.
    pub fn whole(
        &self,
        records: &Records,
        side: Side,
        row: Row,
        currency: Option<Currency>,
    ) -> Option<Fingerprint> {
        let mut hasher = KeyHasher::new();
        for part in &self.parts {
            part.hash(part.column(side).text(records, row), &mut hasher)?;
        }
        if let Some(currency) = currency {
            hasher.currency(currency);
        }
        Some(hasher.finish())
    }

    /// One value per token (just one without a token key), each once. Empty when a part is empty.
    pub fn each(
        &self,
        records: &Records,
        side: Side,
        row: Row,
        currency: Option<Currency>,
        found: &mut Vec<Fingerprint>,
    ) {
        found.clear();
        let mut hasher = KeyHasher::new();
        if let Some(currency) = currency {
            hasher.currency(currency);
        }
        let mut tokens = None;
        for part in &self.parts {
            let text = part.column(side).text(records, row);
            if part.how == Normalise::Tokens {
                tokens = Some(text);
                continue;
            }
            if part.hash(text, &mut hasher).is_none() {
                return;
            }
        }
        match tokens {
            None => return found.push(hasher.finish()),
            Some(text) => each_token(text, |token| {
                let mut hasher = hasher;
                hasher.part(token);
                found.push(hasher.finish());
            }),
        }
        found.sort_unstable();
        found.dedup();
    }

    /// What two records that share the key share, for people: the field's name and the text, part by part.
    pub fn shared(
        &self,
        pass: &Pass,
        left: (&Records, Row),
        right: (&Records, Row),
    ) -> Vec<(String, String)> {
        let named = self.parts.iter().zip(&pass.keys);
        let shared = named.map(|(part, key)| {
            let (l, r) = (part.left.text(left.0, left.1), part.right.text(right.0, right.1));
            let text = match part.how {
                Normalise::Tokens => longest_shared_token(l, r).unwrap_or_default(),
                _ => l.trim().chars().take(80).collect(),
            };
            (key.left.clone(), text)
        });
        shared.collect()
    }
}

impl KeyPart {
    /// `None` when nothing is left to compare.
    fn hash(&self, text: &str, hasher: &mut KeyHasher) -> Option<()> {
        with_normalised(text, self.how, |text| (!text.is_empty()).then(|| hasher.part(text)))
    }

    fn column(&self, side: Side) -> Column {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

fn longest_shared_token(left: &str, right: &str) -> Option<String> {
    let (mut tokens, mut best) = (vec![], None::<String>);
    each_token(left, |t| tokens.push(t.to_owned()));
    each_token(right, |t| {
        if tokens.iter().any(|mine| mine == t)
            && best.as_ref().is_none_or(|b| (b.len(), b.as_str()) < (t.len(), t))
        {
            best = Some(t.to_owned());
        }
    });
    best
}
