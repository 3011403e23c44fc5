//! A learned rule made ready for two sides: columns looked up, kinds found out from the values.

use super::codes::each_mention;
use super::fields::number;
use super::rule::{CompareAs, LearnedRule};
use crate::keys::Column;
use crate::{Pass, Records, Side, Watch};
use rayon::prelude::*;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LearnedPlan {
    pub comparisons: Vec<ComparisonPlan>,
    /// In (0, 1]: from here a match stands by itself.
    pub confirm: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparisonPlan {
    /// For people: the fields' names.
    pub name: String,
    pub left: Vec<Column>,
    pub right: Vec<Column>,
    pub kind: Kind,
    /// Of texts: the side that may name nobody; either without one.
    pub silent: Option<Side>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Code,
    /// Numbers of things that texts mention.
    Mentions,
    Number,
    Amount {
        flip: bool,
    },
    Date,
}

/// Fields compared at most when a rule names none.
pub(crate) const COMPARISONS_MAX: usize = 16;
/// Values looked at to find out a field's kind; more would not change the verdict.
const VALUES_MAX: usize = 200_000;

impl LearnedPlan {
    /// `None` when the rule names a field that is not there.
    pub fn of(
        rule: &LearnedRule,
        pass: &Pass,
        (left, right): (&Records, &Records),
        watch: Watch<'_>,
    ) -> Option<Self> {
        let columns = |names: &[String], records: &Records| {
            names.iter().map(|n| Column::resolve(records, n)).collect::<Option<Vec<_>>>()
        };
        let mut comparisons = vec![];
        for comparison in &rule.compare {
            let (l, r) = (comparison.left.as_slice(), comparison.right.as_slice());
            let (lc, rc) = (columns(l, left)?, columns(r, right)?);
            let kind = match comparison.kind {
                Some(kind) => kind.into(),
                None => kind_of([(left, &lc), (right, &rc)], watch),
            };
            comparisons.push(ComparisonPlan {
                name: name_of(l, r),
                left: lc,
                right: rc,
                kind,
                silent: comparison.silent,
            });
        }
        if comparisons.is_empty() {
            comparisons = default_comparisons(left, right, watch);
        }
        comparisons = with_mentions(comparisons, left, right, watch);
        let amount = Kind::Amount { flip: pass.amount.flip_sign };
        let mut add = |name: &str, kind, varies: bool| {
            if varies {
                comparisons.push(ComparisonPlan {
                    name: name.into(),
                    left: vec![],
                    right: vec![],
                    kind,
                    silent: None,
                });
            }
        };
        add("amount", amount, varies(left, right, |records, row| records.amount(row)));
        add("date", Kind::Date, varies(left, right, |records, row| records.date(row).into()));
        Some(LearnedPlan { comparisons, confirm: rule.confirm })
    }
}

impl From<CompareAs> for Kind {
    fn from(kind: CompareAs) -> Self {
        match kind {
            CompareAs::Text => Kind::Text,
            CompareAs::Code => Kind::Code,
            CompareAs::Number => Kind::Number,
        }
    }
}

/// `description / counterparty`; the name once where both sides use the same.
fn name_of(left: &[String], right: &[String]) -> String {
    let joined = |names: &[String]| names.join(" + ");
    if left == right { joined(left) } else { format!("{} / {}", joined(left), joined(right)) }
}

fn default_comparisons(left: &Records, right: &Records, watch: Watch<'_>) -> Vec<ComparisonPlan> {
    let mut names: Vec<&String> = left.field_names().iter().collect();
    names.retain(|name| right.field_names().contains(name));
    names.sort();
    let mut comparisons: Vec<ComparisonPlan> = vec![];
    for name in names.into_iter().take(COMPARISONS_MAX) {
        let columns = (Column::resolve(left, name), Column::resolve(right, name));
        let (Some(l), Some(r)) = columns else { continue };
        let kind = kind_of([(left, &[l]), (right, &[r])], watch);
        comparisons.push(ComparisonPlan {
            name: name.clone(),
            left: vec![l],
            right: vec![r],
            kind,
            silent: None,
        });
    }
    if comparisons.is_empty() {
        let all = |records: &Records| (0..records.field_names().len()).map(Column::Field).collect();
        let (left, right) = (all(left), all(right));
        comparisons.push(ComparisonPlan {
            name: "texts".into(),
            left,
            right,
            kind: Kind::Text,
            silent: None,
        });
    }
    comparisons
}

fn varies(left: &Records, right: &Records, of: fn(&Records, u32) -> i64) -> bool {
    let mut all = [left, right].into_iter().flat_map(|records| records.rows().map(|row| of(records, row)));
    let first = all.next();
    all.any(|value| Some(value) != first)
}

/// What most values look like. Not a sample of the first rows: the order of a file plays no part.
fn kind_of(sides: [(&Records, &[Column]); 2], watch: Watch<'_>) -> Kind {
    let (mut values, mut numbers, mut decimals, mut coded) = (0usize, 0, 0, 0);
    for (records, columns) in sides {
        for row in looked_at(records, watch) {
            for text in columns.iter().map(|c| c.text(records, row).trim()).filter(|t| !t.is_empty()) {
                values += 1;
                if number(text).is_some() {
                    numbers += 1;
                    decimals += usize::from(text.contains('.') || text.contains('$'));
                }
                let count = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).count();
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                coded += usize::from(digits * 2 >= text.len().saturating_sub(count) && digits > 0);
            }
        }
    }
    if values == 0 {
        Kind::Text
    } else if numbers * 10 >= values * 8 && decimals * 5 >= values {
        Kind::Number
    } else if coded * 10 >= values * 7 {
        Kind::Code
    } else {
        Kind::Text
    }
}

/// All records up to the limit, beyond it one of so many ids: the same ones in any order. None after the watch said
/// stop.
fn looked_at<'r>(records: &'r Records, watch: Watch<'r>) -> impl Iterator<Item = u32> + 'r {
    let every = (records.len() / VALUES_MAX + 1) as u64;
    let goes_on = move |row: &u32| !row.is_multiple_of(4096) || watch.check().is_ok();
    let rows = records.rows().take_while(goes_on);
    rows.filter(move |&row| every == 1 || id_hash(records, row).is_multiple_of(every))
}

fn id_hash(records: &Records, row: u32) -> u64 {
    let mut hasher = crate::keys::KeyHasher::new();
    hasher.part(records.id(row));
    hasher.finish_u64()
}

/// Texts that mention numbers of things on both sides (models, papers, years) are compared by those too.
fn with_mentions(
    comparisons: Vec<ComparisonPlan>,
    left: &Records,
    right: &Records,
    watch: Watch<'_>,
) -> Vec<ComparisonPlan> {
    let mut all = vec![];
    for comparison in comparisons {
        let is_text = comparison.kind == Kind::Text;
        let mention =
            |records, columns: &[Column]| share_with_mentions(records, columns, watch) >= MENTIONS_MIN;
        let mentions = is_text && mention(left, &comparison.left) && mention(right, &comparison.right);
        let beside = mentions.then(|| ComparisonPlan {
            name: format!("numbers in {}", comparison.name),
            kind: Kind::Mentions,
            ..comparison.clone()
        });
        all.push(comparison);
        all.extend(beside);
    }
    all
}

/// Share of texts that must mention something before mentions are compared.
const MENTIONS_MIN: f64 = 0.1;

fn share_with_mentions(records: &Records, columns: &[Column], watch: Watch<'_>) -> f64 {
    let every = (records.len() / VALUES_MAX + 1) as u64;
    let count = |row: u32| {
        if every > 1 && !id_hash(records, row).is_multiple_of(every) {
            return (0, 0);
        }
        let mut values = columns.iter().map(|c| c.text(records, row)).filter(|t| !t.is_empty()).peekable();
        let has_text = values.peek().is_some();
        let mentions = values.any(|text| {
            let mut found = false;
            each_mention(text, |_| found = true);
            found
        });
        (u32::from(has_text), u32::from(mentions))
    };
    let sum = |a: (u32, u32), b: (u32, u32)| (a.0 + b.0, a.1 + b.1);
    let goes_on = |row: &u32| !row.is_multiple_of(4096) || watch.check().is_ok();
    let rows = records.rows().into_par_iter().take_any_while(goes_on);
    let (texts, with) = rows.map(count).reduce(|| (0, 0), sum);
    f64::from(with) / f64::from(texts.max(1))
}
