//! The rules for people who wrote none, built on conventional field names.

use crate::{
    AmountRule, Cardinality, CompareAs, Comparison, DateRule, FeeRule, FieldNames, Key, LearnedRule,
    Normalise, Pass, RuleSet, SearchRule, Side, TextRule, Tier,
};

/// A document's or payment's own reference.
const REFERENCE: &str = "reference";
/// Free text, as on a bank statement.
const DESCRIPTION: &str = "description";
/// The other party's name.
const COUNTERPARTY: &str = "counterparty";
/// What payments were paid out together: a batch, payout or settlement.
const BATCH: &str = "batch";

/// Days between a posting and its payment's booking: a long weekend and a slow bank.
const WINDOW_DAYS: u32 = 5;
/// Where the reference is the same, a month may lie between.
const REFERENCE_WINDOW_DAYS: u32 = 31;

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
        let mut passes = vec![];
        if fields.both_have(REFERENCE) {
            passes.push(keyed("same reference", REFERENCE, REFERENCE, Normalise::Alphanumeric));
        }
        passes.extend(fields.sum_passes());
        for (left, right) in fields.reference_pairs() {
            passes.push(keyed(&format!("{left} names {right}"), left, right, Normalise::Tokens));
        }
        if fields.both_have(REFERENCE) {
            let pass =
                keyed("same reference, small difference", REFERENCE, REFERENCE, Normalise::Alphanumeric);
            let amount = AmountRule {
                absolute: Some("0.05".into()),
                percent: Some("0.5".into()),
                ..AmountRule::default()
            };
            passes.push(Pass { amount, ..pass });
        }
        passes.extend(fields.text_passes());
        if passes.is_empty() {
            passes.push(Pass { tier: Tier::Suggested, ..pass("same amount, near date", WINDOW_DAYS) });
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
        let less_fee = |pass: &Pass| Pass {
            name: format!("{}, less a fee", pass.name),
            tier: Tier::Suggested,
            amount: AmountRule { fee: Some(FeeRule::default()), ..AmountRule::default() },
            ..pass.clone()
        };
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
