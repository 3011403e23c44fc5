//! The rules for people who wrote none, built on conventional field names.

use crate::{
    AllowedDifference, AmountRule, Cardinality, CompareAs, Comparison, Confidence, DateRule, FeeRule,
    FieldNames, Joins, Key, LearnedRule, LesserSide, Normalise, Pass, RuleSet, SearchRule, SharedKey, Side,
    TextRule, Tier,
};

/// A document's or payment's own reference.
const REFERENCE: &str = "reference";
/// Free text, as on a bank statement.
const DESCRIPTION: &str = "description";
/// The other party's name.
const COUNTERPARTY: &str = "counterparty";
/// What payments were paid out together: a batch, payout or settlement.
const BATCH: &str = "batch";
/// What the payer gave a transfer to carry through all banks.
const END_TO_END_ID: &str = "end_to_end_id";
const ORDER_ID: &str = "order_id";

/// Days between a posting and its payment's booking: a long weekend and a slow bank.
const WINDOW_DAYS: u32 = 5;
/// Where the reference is the same, a month may lie between.
const REFERENCE_WINDOW_DAYS: u32 = 31;
/// Names that are less alike, each known to both books, are two parties. By judgement: `Braun Foods GmbH` and
/// `Braun Steel GmbH` are still more alike.
const DOUBT_MIN: f64 = 0.3;

impl RuleSet {
    /// The standard rules for two sides that have all conventional fields: `reference`, `description`,
    /// `counterparty`, `batch`.
    pub fn standard() -> Self {
        let all = [REFERENCE, DESCRIPTION, COUNTERPARTY, BATCH].map(str::to_owned);
        Self::standard_for(&all, &all)
    }

    /// The standard rules as far as the sides have the fields for them; always valid for these fields.
    ///
    /// From strong to weak: equal references; sums of batches; references found inside other texts; equal
    /// references with a small difference; equal amounts with like texts; sums of like texts; and last what a
    /// learned pass makes of everything that is left, within half a per cent of the amount. Sides without any of
    /// the fields are matched by amount and date, only suggested.
    pub fn standard_for(left_fields: &[String], right_fields: &[String]) -> Self {
        let fields = Fields { left: left_fields, right: right_fields };
        // By name alone: what is in the columns nobody has seen yet.
        let shared = [END_TO_END_ID, ORDER_ID].into_iter().filter(|name| fields.both_have(name));
        let key = |name: &str| SharedKey {
            left: name.into(),
            right: name.into(),
            coincide: 0.0,
            confidence: Confidence::ZERO,
            joins: Joins::OneToOne,
        };
        Self::standard_with(left_fields, right_fields, &shared.map(key).collect::<Vec<_>>())
    }

    /// The same with the keys that the records themselves were found to share, see [`crate::shared_keys()`]: these
    /// come first, and one whose values nearly all coincide speaks against every pair with two different ones.
    pub fn standard_with(left_fields: &[String], right_fields: &[String], keys: &[SharedKey]) -> Self {
        let fields = Fields { left: left_fields, right: right_fields };
        let mut passes: Vec<Pass> = keys.iter().flat_map(key_passes).collect();
        if fields.both_have(REFERENCE) {
            passes.push(keyed("same reference", REFERENCE, REFERENCE, Normalise::Alphanumeric));
        }
        passes.extend(fields.sum_passes());
        for (left, right) in fields.reference_pairs() {
            passes.push(keyed(&format!("{left} names {right}"), left, right, Normalise::Tokens));
        }
        let one_to_one = |key: &&SharedKey| key.joins == Joins::OneToOne;
        passes.extend(keys.iter().filter(one_to_one).map(|key| small_difference(key_pass(key))));
        if fields.both_have(REFERENCE) {
            let pass = keyed("same reference", REFERENCE, REFERENCE, Normalise::Alphanumeric);
            passes.push(small_difference(pass));
        }
        passes.extend(fields.text_passes());
        let is_shared = |pass: &Pass| {
            pass.keys.iter().any(|k| keys.iter().any(|s| (&s.left, &s.right) == (&k.left, &k.right)))
        };
        if passes.iter().all(is_shared) {
            passes.push(Pass { tier: Tier::Suggested, ..pass("same amount, near date", WINDOW_DAYS) });
        }
        let decisive: Vec<Key> = keys.iter().filter(|key| key.is_decisive()).map(equal).collect();
        for pass in passes.iter_mut().filter(|pass| pass.cardinality == Cardinality::OneToOne) {
            pass.conflict = decisive.iter().filter(|key| !pass.keys.contains(key)).cloned().collect();
            if fields.both_have(COUNTERPARTY) && !pass.keys.is_empty() {
                let names = vec![COUNTERPARTY.to_owned()];
                pass.doubt =
                    Some(TextRule { left: names.clone(), right: names, min: DOUBT_MIN, silent: None });
            }
        }
        named("standard", passes)
    }

    /// The rules for records that are no money: one pass that learns from all fields both sides have.
    pub fn standard_for_texts() -> Self {
        let all = Pass {
            date: DateRule::default(),
            learned: Some(LearnedRule::default()),
            ..pass("all texts together", 0)
        };
        named("texts", vec![all])
    }
}

fn named(name: &str, passes: Vec<Pass>) -> RuleSet {
    RuleSet {
        version: 1,
        name: name.into(),
        threshold: 0.5,
        ambiguity_margin: 0.02,
        candidates_max: 5,
        netting: vec![],
        passes,
        ..RuleSet::default()
    }
}

struct Fields<'a> {
    left: &'a [String],
    right: &'a [String],
}

impl Fields<'_> {
    fn both_have(&self, name: &str) -> bool {
        has(self.left, name) && has(self.right, name)
    }

    /// Where one side's reference may stand inside the other side's text.
    fn reference_pairs(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let pairs = [(REFERENCE, REFERENCE), (DESCRIPTION, REFERENCE), (REFERENCE, DESCRIPTION)];
        pairs.into_iter().filter(|(l, r)| has(self.left, l) && has(self.right, r))
    }

    fn sum_passes(&self) -> Vec<Pass> {
        let mut passes = vec![];
        for single in [BATCH, REFERENCE, DESCRIPTION] {
            let sum = |left: &str, right: &str, cardinality, many: &str| Pass {
                cardinality,
                ..keyed(&format!("sum of {many} {BATCH} named in {single}"), left, right, Normalise::Tokens)
            };
            if has(self.left, single) && has(self.right, BATCH) {
                passes.push(sum(single, BATCH, Cardinality::OneToMany, "right"));
            }
            if has(self.left, BATCH) && has(self.right, single) {
                passes.push(sum(BATCH, single, Cardinality::ManyToOne, "left"));
            }
        }
        let less_fees: Vec<Pass> = passes.iter().map(less_fee).collect();
        passes.extend(less_fees);
        passes
    }

    fn text_passes(&self) -> Vec<Pass> {
        // References alone would be compared letter by letter with nothing to hold on to.
        let names = |fields| has(fields, DESCRIPTION) || has(fields, COUNTERPARTY);
        if !names(self.left) || !names(self.right) {
            return vec![];
        }
        let texts = |fields| {
            let texts = [REFERENCE, DESCRIPTION, COUNTERPARTY].into_iter().filter(|name| has(fields, name));
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        let text =
            |min| Some(TextRule { left: texts(self.left), right: texts(self.right), min, silent: None });
        let half_a_per_cent = AmountRule { percent: Some("0.5".into()), ..AmountRule::default() };
        // A statement has the deposit, the other side what was paid out together.
        let cardinality =
            if has(self.left, DESCRIPTION) { Cardinality::OneToMany } else { Cardinality::ManyToOne };
        vec![
            Pass { text: text(0.6), ..pass("same amount, like text", WINDOW_DAYS) },
            Pass {
                cardinality,
                tier: Tier::Suggested,
                text: text(0.7),
                search: Some(SearchRule::default()),
                ..pass("sum of like texts", WINDOW_DAYS)
            },
            Pass {
                amount: half_a_per_cent,
                learned: Some(LearnedRule { compare: self.comparisons(), ..LearnedRule::default() }),
                ..pass("near amount, all evidence together", WINDOW_DAYS)
            },
        ]
    }

    /// What names the other party, and the references wherever they stand.
    fn comparisons(&self) -> Vec<Comparison> {
        let of = |names: &[&str], fields: &[String]| {
            let there = names.iter().filter(|name| has(fields, name)).map(|name| (*name).to_owned());
            FieldNames::Several(there.collect())
        };
        // Free text is where banks write codes that name nobody.
        let silent = if has(self.left, DESCRIPTION) { Side::Left } else { Side::Right };
        let compare = |names: &[&str], kind| Comparison {
            left: of(names, self.left),
            right: of(names, self.right),
            kind: Some(kind),
            silent: (kind == CompareAs::Text).then_some(silent),
        };

        let mut comparisons = vec![];
        if self.both_have(REFERENCE) {
            comparisons.push(compare(&[REFERENCE, DESCRIPTION], CompareAs::Code));
        }
        comparisons.push(compare(&[DESCRIPTION, COUNTERPARTY], CompareAs::Text));
        comparisons
    }
}

/// What a key is compared by: where records meet one to one, all of it.
fn equal(key: &SharedKey) -> Key {
    let SharedKey { left, right, .. } = key;
    Key { left: left.clone(), right: right.clone(), ..Key::default() }
}

fn key_pass(key: &SharedKey) -> Pass {
    let SharedKey { left, right, .. } = key;
    let name = if left == right { format!("same {left}") } else { format!("{left} is {right}") };
    let window = REFERENCE_WINDOW_DAYS;
    match key.joins {
        Joins::OneToOne => Pass { keys: vec![equal(key)], ..pass(&name, window) },
        Joins::OneToMany(side) => Pass {
            keys: vec![equal(key)],
            cardinality: if side == Side::Left { Cardinality::OneToMany } else { Cardinality::ManyToOne },
            ..pass(&format!("sum of {name}"), window)
        },
        Joins::List(side) => {
            let (one, many, cardinality) = match side {
                Side::Left => (left, right, Cardinality::OneToMany),
                Side::Right => (right, left, Cardinality::ManyToOne),
            };
            Pass {
                keys: vec![Key { normalise: Normalise::List, ..equal(key) }],
                cardinality,
                ..pass(&format!("sum of {many} that {one} lists"), window)
            }
        }
    }
}

/// And less a fee, of sums.
fn key_passes(key: &SharedKey) -> Vec<Pass> {
    let pass = key_pass(key);
    if key.joins == Joins::OneToOne {
        return vec![pass];
    }
    let mut fees = less_fee(&pass);
    if let Joins::List(side) = key.joins {
        // The list says what belongs together: it may also be a fee that nothing explains to the cent.
        let side = if side == Side::Left { LesserSide::LeftLess } else { LesserSide::RightLess };
        let percent = Some(KEPT_BACK_PERCENT.to_owned());
        fees.amount.allowed =
            vec![AllowedDifference { name: "fees kept back".into(), absolute: None, percent, side }];
    }
    vec![pass, fees]
}

/// As much as card processors keep.
const KEPT_BACK_PERCENT: &str = "5";

fn less_fee(pass: &Pass) -> Pass {
    Pass {
        name: format!("{}, less a fee", pass.name),
        tier: Tier::Suggested,
        amount: AmountRule { fee: Some(FeeRule::default()), ..AmountRule::default() },
        ..pass.clone()
    }
}

fn small_difference(pass: Pass) -> Pass {
    let amount =
        AmountRule { absolute: Some("0.05".into()), percent: Some("0.5".into()), ..AmountRule::default() };
    Pass { name: format!("{}, small difference", pass.name), amount, ..pass }
}

fn has(fields: &[String], name: &str) -> bool {
    fields.iter().any(|f| f == name)
}

fn pass(name: &str, window_days: u32) -> Pass {
    Pass {
        name: name.into(),
        cardinality: Cardinality::OneToOne,
        tier: Tier::Confirmed,
        keys: vec![],
        amount: AmountRule::default(),
        date: DateRule { window_days: Some(window_days), ..DateRule::default() },
        ..Pass::default()
    }
}

fn keyed(name: &str, left: &str, right: &str, normalise: Normalise) -> Pass {
    let key = Key { left: left.into(), right: right.into(), normalise, ..Key::default() };
    Pass { keys: vec![key], ..pass(name, REFERENCE_WINDOW_DAYS) }
}
