//! A pass of the rule set made ready to run on two sides.

use crate::evidence::KeyEvidence;
use crate::exchange::{Conversion, Exchange, RateTable, percent_of, read_rates};
use crate::fees::Fee;
use crate::keys::{Column, Fingerprint, KeyHasher, each_token, with_normalised};
use crate::learned::LearnedPlan;
use crate::listed::Listed;
use crate::pattern::Pattern;
use crate::series::{Agreement, agreement};
use crate::tolerance::{Allowance, AmountDistance, Window};
use crate::{
    Cardinality, Confidence, Currency, Normalise, Pass, Records, Row, RuleSet, Side, TextRule, Watch,
    creditor,
};
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
    /// Both sides may have one each.
    patterns: [Option<Pattern>; 2],
    /// Of [`Normalise::List`].
    listed: Option<Listed>,
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
            Shape::Sums(Side::Left) => Some((Side::Left, left)),
            Shape::Sums(Side::Right) => Some((Side::Right, right)),
            Shape::Pairs | Shape::Groups => None,
        };
        let part = |key: &crate::Key| {
            let (left, right) = (Column::resolve(left, &key.left)?, Column::resolve(right, &key.right)?);
            let pattern = |own: &Option<String>| match own.as_ref().or(key.pattern.as_ref()) {
                None => Some(None),
                Some(text) => Pattern::compile(text).ok().map(Some),
            };
            let patterns = match key.normalise {
                Normalise::Pattern => [pattern(&key.left_pattern)?, pattern(&key.right_pattern)?],
                _ => [None, None],
            };
            let listed = match (key.normalise, lists) {
                (Normalise::List, Some((side, records))) => {
                    let column = if side == Side::Left { left } else { right };
                    Some(Listed::of(side, records, column))
                }
                _ => None,
            };
            Some(KeyPart { left, right, how: key.normalise, patterns, listed })
        };
        let keys = KeyPlan { parts: pass.keys.iter().map(part).collect::<Option<_>>()? };
        let conflict = KeyPlan { parts: pass.conflict.iter().map(part).collect::<Option<_>>()? };
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

/// What all passes must know about both sides.
pub(crate) struct Data<'r> {
    rules: &'r RuleSet,
    watch: Watch<'r>,
    left: Vec<Currency>,
    right: Vec<Currency>,
    /// First and last of both sides.
    dates: (i32, i32),
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

    fn all(&self) -> Vec<Currency> {
        let more = self.right.iter().filter(|currency| !self.left.contains(currency));
        self.left.iter().chain(more).copied().collect()
    }

    fn of_side(&self, side: Side) -> &[Currency] {
        if side == Side::Left { &self.left } else { &self.right }
    }

    fn exchange(&self, rule: &crate::CurrencyRule, shape: Shape) -> Exchange {
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
        let same = |(a, b): (&KeyPart, &KeyPart)| {
            a.column(side) == b.column(side) && a.how == b.how && a.listed == b.listed
        };
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
            part.hash(part.column(side).text(records, row), side, &mut hasher)?;
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
            if part.hash(text, side, &mut hasher).is_none() {
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

    /// [`crate::evidence::KeyEvidence::spread`] of a pair that shares a key of so many pairings, once the texts around
    /// the shared token are looked at; `None` where these name two references.
    pub fn agreed(&self, spread: u32, left: (&Records, Row), right: (&Records, Row)) -> Option<u32> {
        let Some(part) = self.parts.iter().find(|part| part.how == Normalise::Tokens) else {
            return Some(spread);
        };
        match agreement(part.left.text(left.0, left.1), part.right.text(right.0, right.1))? {
            Agreement::Same => Some(spread),
            Agreement::Bare => Some(spread | KeyEvidence::BARE),
        }
    }

    /// Whether both records have one of the keys, and not the same.
    pub fn differ(&self, left: (&Records, Row), right: (&Records, Row)) -> bool {
        let read = |part: &KeyPart, side: Side, (records, row): (&Records, Row)| {
            let mut hasher = KeyHasher::new();
            part.hash(part.column(side).text(records, row), side, &mut hasher).map(|()| hasher.finish())
        };
        let differs = |part: &KeyPart| {
            let both = read(part, Side::Left, left).zip(read(part, Side::Right, right));
            both.is_some_and(|(l, r)| l != r)
        };
        self.parts.iter().any(differs)
    }

    /// A number made of the first letter of each text that [`Self::shared`] reads.
    pub fn fetch(&self, left: (&Records, Row), right: (&Records, Row)) -> u64 {
        let first = |text: &str| u64::from(text.as_bytes().first().copied().unwrap_or_default());
        let both =
            |part: &KeyPart| first(part.left.text(left.0, left.1)) + first(part.right.text(right.0, right.1));
        self.parts.iter().map(both).sum()
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
                Normalise::Pattern | Normalise::CreditorReference => part
                    .found(l, Side::Left)
                    .unwrap_or_else(|| l.trim().to_owned())
                    .chars()
                    .take(80)
                    .collect(),
                _ => l.trim().chars().take(80).collect(),
            };
            (key.left.clone(), text)
        });
        shared.collect()
    }
}

impl KeyPart {
    /// `None` when nothing is left to compare.
    fn hash(&self, text: &str, side: Side, hasher: &mut KeyHasher) -> Option<()> {
        if let Some(listed) = &self.listed {
            return listed.key(text, side).map(|key| hasher.number(key));
        }
        let found = self.found(text, side);
        let text = found.as_deref().unwrap_or(text);
        with_normalised(text, self.how, |text| (!text.is_empty()).then(|| hasher.part(text)))
    }

    /// The reference inside the text; `None` where this side's whole text counts.
    fn found(&self, text: &str, side: Side) -> Option<String> {
        let mut out = String::new();
        match (self.how, &self.patterns[side as usize]) {
            (Normalise::CreditorReference, _) => creditor::find(text, &mut out),
            (Normalise::Pattern, Some(pattern)) => pattern.find(text, &mut out),
            _ => return None,
        }
        Some(out)
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
