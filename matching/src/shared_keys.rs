//! Columns of the two sides that hold the same identifiers, found by what is in them: an order id on both sides, a
//! payment id that is the other file's own id, a list of orders in one cell.

use crate::keys::{Column, KeyHasher, with_normalised};
use crate::{Cancelled, Confidence, Normalise, Records, Row, Side, Watch};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// Values of a column that are looked at before any are compared.
const GLANCE: usize = 256;
/// Values of a column that are compared, about: those whose hash both sides happen to keep.
const VALUES_MAX: usize = 50_000;
/// Of the values of the column with fewer, so many must be on the other side too.
const COINCIDE_MIN: f64 = 0.5;
/// From here on a pair with two different ones is no candidate.
const DECISIVE_MIN: f64 = 0.9;
/// Values that only one record of the side has, of all: a file has some lines twice.
const UNIQUE_MIN: f64 = 0.8;
/// Fewer values in common are chance, where neither the names of the columns nor the amounts agree.
const FEW: usize = 20;
const COMMON_MIN: usize = 3;
/// Shorter numbers count something: lines, days, customers.
const NUMBER_DIGITS_MIN: usize = 8;
/// Keys that are used at most; further ones say the same again.
const KEYS_MAX: usize = 3;

/// Two columns with values in common.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedKey {
    /// The field's name, or `id`.
    pub left: String,
    pub right: String,
    /// Share of the values of the column with fewer that the other one has too, 0 to 1.
    pub coincide: f64,
    /// That the columns identify the same things: [`Self::coincide`], less what is there twice.
    pub confidence: Confidence,
    pub joins: Joins,
}

/// How the records of a [`SharedKey`] meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    OneToOne,
    /// The value is there once on this side, and often on the other.
    OneToMany(Side),
    /// A cell of this side lists several values of the other.
    List(Side),
}

impl SharedKey {
    /// So many values coincide that two records with different ones belong to others.
    pub(crate) fn is_decisive(&self) -> bool {
        self.joins == Joins::OneToOne && self.coincide >= DECISIVE_MIN
    }
}

impl std::fmt::Display for SharedKey {
    /// `order_id on the left is order_id on the right: 98 % of the values coincide (confidence 0.97)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { left, right, coincide, confidence, joins } = self;
        let (share, sure) = ((coincide * 100.0).floor(), confidence.as_f64());
        match joins {
            Joins::List(Side::Left) => write!(f, "{left} on the left lists values of {right} on the right")?,
            Joins::List(Side::Right) => write!(f, "{right} on the right lists values of {left} on the left")?,
            _ => write!(f, "{left} on the left is {right} on the right")?,
        }
        write!(f, ": {share} % of the values coincide (confidence {sure:.2})")
    }
}

/// The parts of a cell that lists several values.
pub(crate) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(['|', ';', ',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

/// One column as far as it is looked at.
struct Values<'a> {
    records: &'a Records,
    column: Column,
    name: &'a str,
    is_list: bool,
    /// What the first values begin with, before any digit.
    heads: BTreeSet<String>,
}

/// The kept values: how many records have each, and one of them.
struct Kept {
    values: HashMap<u64, (u32, Row)>,
    /// With repetitions.
    count: usize,
}

/// The keys that both sides share, the surest first; at most three. What the standard rules compare anyway, references
/// with each other and with batches, is left out, and texts for people too.
///
/// Work: a glance at 256 records a column; columns that look alike are hashed once, all of them.
pub fn shared_keys(left: &Records, right: &Records, watch: Watch<'_>) -> Result<Vec<SharedKey>, Cancelled> {
    let (lefts, rights) = (columns(left), columns(right));
    let keep_one_of = (left.len().max(right.len()) / VALUES_MAX).max(1) as u64;
    let mut kept: HashMap<(Side, Column), Kept> = HashMap::new();
    let mut found = vec![];
    for l in &lefts {
        for r in &rights {
            let both_list = l.is_list && r.is_list;
            if both_list || is_standard(l.name, r.name) || l.heads.is_disjoint(&r.heads) {
                continue;
            }
            for (side, values) in [(Side::Left, l), (Side::Right, r)] {
                if let Entry::Vacant(place) = kept.entry((side, values.column)) {
                    place.insert(values.keep(keep_one_of, watch)?);
                }
            }
            found.extend(compare((l, &kept[&(Side::Left, l.column)]), (r, &kept[&(Side::Right, r.column)])));
        }
    }
    found.sort_by(|a, b| {
        let names = |key: &SharedKey| (key.left.clone(), key.right.clone());
        b.confidence.cmp(&a.confidence).then_with(|| names(a).cmp(&names(b)))
    });
    let mut keys: Vec<SharedKey> = vec![];
    for key in found {
        let is_taken = keys.iter().any(|other| other.left == key.left || other.right == key.right);
        if !is_taken && keys.len() < KEYS_MAX {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The standard rules read these texts by themselves.
fn is_standard(left: &str, right: &str) -> bool {
    let is_known = |name| ["reference", "batch"].contains(&name);
    is_known(left) && is_known(right)
}

/// The columns of identifiers: with digits in nearly every value, short, and not the same everywhere.
fn columns(records: &Records) -> Vec<Values<'_>> {
    let names = records.field_names().iter().map(String::as_str);
    let fields = names.enumerate().map(|(i, name)| (Column::Field(i), name));
    let all = std::iter::once((Column::Id, Column::ID)).chain(fields);
    let of_people = ["description", "counterparty"];
    all.filter(|(_, name)| !of_people.contains(name))
        .filter_map(|(c, name)| Values::of(records, c, name))
        .collect()
}

impl<'a> Values<'a> {
    fn of(records: &'a Records, column: Column, name: &'a str) -> Option<Self> {
        let step = (records.len() / GLANCE).max(1);
        let rows = records.rows().step_by(step);
        let texts: Vec<&str> =
            rows.map(|row| column.text(records, row).trim()).filter(|t| !t.is_empty()).collect();
        let lists = texts.iter().filter(|text| listed(text).nth(1).is_some()).count();
        let is_list = lists * 5 > texts.len();
        let parts: Vec<&str> =
            if is_list { texts.iter().flat_map(|text| listed(text)).collect() } else { texts };
        let is_code = |text: &&&str| {
            text.len() <= 64
                && text.bytes().any(|b| b.is_ascii_digit())
                && text.split_whitespace().count() <= 3
        };
        if parts.is_empty() || parts.iter().filter(is_code).count() * 10 < parts.len() * 9 {
            return None;
        }
        let heads = parts.iter().map(|part| head(part)).collect();
        Some(Values { records, column, name, is_list, heads })
    }

    fn keep(&self, one_of: u64, watch: Watch<'_>) -> Result<Kept, Cancelled> {
        let mut kept = Kept { values: HashMap::new(), count: 0 };
        for row in self.records.rows() {
            if row % 4096 == 0 {
                watch.check()?;
            }
            let text = self.column.text(self.records, row);
            let mut add = |part: &str| {
                let hash = with_normalised(part, Normalise::Alphanumeric, |part| {
                    (!part.is_empty()).then(|| hash(part))
                });
                if let Some(hash) = hash.filter(|hash| hash % one_of == 0) {
                    kept.count += 1;
                    kept.values.entry(hash).or_insert((0, row)).0 += 1;
                }
            };
            if self.is_list { listed(text).for_each(&mut add) } else { add(text) }
        }
        Ok(kept)
    }

    /// Letters, or so many digits that nobody counts with them.
    fn is_name(&self, row: Row) -> bool {
        let text = self.column.text(self.records, row);
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        text.chars().any(char::is_alphabetic) || digits >= NUMBER_DIGITS_MIN
    }
}

pub(crate) fn hash(part: &str) -> u64 {
    let mut hasher = KeyHasher::new();
    hasher.part(part);
    hasher.finish_u64()
}

fn head(part: &str) -> String {
    let before = part.chars().take_while(|c| !c.is_ascii_digit()).filter(|c| c.is_alphanumeric());
    before.flat_map(char::to_uppercase).collect()
}

impl Kept {
    /// Of all values those that are there once.
    fn unique(&self) -> f64 {
        self.values.len() as f64 / self.count.max(1) as f64
    }
}

fn compare((l, left): (&Values<'_>, &Kept), (r, right): (&Values<'_>, &Kept)) -> Option<SharedKey> {
    let common: Vec<(Row, Row, bool)> = left
        .values
        .iter()
        .filter_map(|(hash, &(count, row))| {
            let &(others, other) = right.values.get(hash)?;
            Some((row, other, count == 1 && others == 1))
        })
        .collect();
    let smaller = left.values.len().min(right.values.len());
    let coincide = common.len() as f64 / smaller.max(1) as f64;
    if coincide < COINCIDE_MIN || common.len() < COMMON_MIN {
        return None;
    }
    let joins = match (l.is_list, r.is_list, left.unique() >= UNIQUE_MIN, right.unique() >= UNIQUE_MIN) {
        (true, _, true, _) if right.unique() >= UNIQUE_MIN => Joins::List(Side::Left),
        (_, true, _, true) if left.unique() >= UNIQUE_MIN => Joins::List(Side::Right),
        (true, ..) | (_, true, ..) => return None,
        (_, _, true, true) => Joins::OneToOne,
        (_, _, true, false) => Joins::OneToMany(Side::Left),
        (_, _, false, true) => Joins::OneToMany(Side::Right),
        (_, _, false, false) => return None,
    };
    // Numbers of lines coincide in any two files: then the amounts have to agree as well.
    let names = common.iter().filter(|&&(row, other, _)| l.is_name(row) && r.is_name(other)).count();
    let is_sure_of_names = names * 5 >= common.len() * 4 && (common.len() >= FEW || l.name == r.name);
    if !is_sure_of_names && !amounts_agree(l.records, r.records, &common) {
        return None;
    }
    let unique = match joins {
        Joins::OneToMany(Side::Left) => left.unique(),
        Joins::OneToMany(Side::Right) => right.unique(),
        _ => left.unique().min(right.unique()),
    };
    let confidence = Confidence::from_f64(coincide.min(1.0) * unique.min(1.0));
    Some(SharedKey { left: l.name.to_owned(), right: r.name.to_owned(), coincide, confidence, joins })
}

/// Most of those that only one record of each side has.
fn amounts_agree(left: &Records, right: &Records, common: &[(Row, Row, bool)]) -> bool {
    let single: Vec<_> = common.iter().filter(|(.., is_single)| *is_single).collect();
    let equal = single.iter().filter(|(l, r, _)| left.amount(*l) == right.amount(*r)).count();
    single.len() >= COMMON_MIN && equal * 2 > single.len()
}
