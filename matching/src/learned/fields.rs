//! What a learned pass compares of two records, and the degree to which each part agrees.

use super::codes::{Closeness, Codes, ReadAs};
use super::frequency::Frequency;
use super::plan::{ComparisonPlan, Kind};
use super::words::{Likeness, Words};
use crate::twins::Node;
use crate::{Cancelled, Currency, Pulse, Records, Side, Watch};

/// One side at work: its records, and those of them that take part, by place.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub records: &'a Records,
    pub nodes: &'a [Node],
}

/// The degree to which two values agree, from 1 (not at all) upwards; 0 where one is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Agreement {
    pub level: u8,
    /// How rare the value is that both have: -8 log2 of the share of records with it; 0 where that plays no part.
    pub rarity: u8,
}

impl Agreement {
    fn of(level: u8) -> Self {
        Agreement { level, rarity: 0 }
    }

    fn rare(level: u8, share: f64) -> Self {
        let rarity = if share > 0.0 { (-8.0 * share.log2()).clamp(1.0, 255.0) as u8 } else { 0 };
        Agreement { level, rarity }
    }
}

/// All that is known of one comparison before pairs are looked at.
#[derive(Debug)]
pub(super) enum Field {
    Words(Words),
    Codes(Codes),
    Numbers {
        left: Vec<f64>,
        right: Vec<f64>,
        frequency: Frequency,
    },
    /// Of each amount and currency.
    Amounts {
        frequency: Frequency,
        flip: bool,
    },
    Dates,
}

/// Relative differences that part the levels of numbers and amounts, from the least to the most alike; the
/// highest level is equality.
const NUMBER_LEVELS: [f64; 5] = [0.5, 0.2, 0.05, 0.01, 0.001];
const AMOUNT_LEVELS: [f64; 6] = [0.1, 0.03, 0.01, 0.005, 0.002, 0.0005];
/// Similarities that part the levels of texts below equality.
const TEXT_LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Days, right minus left, at which a level begins: the first is for all before.
const DATE_LEVELS: [i64; 16] = [-365, -60, -20, -8, -5, -3, -2, -1, 0, 1, 2, 3, 4, 6, 9, 21];

impl Field {
    pub fn read(
        plan: &ComparisonPlan,
        left: Part<'_>,
        right: Part<'_>,
        watch: Watch<'_>,
    ) -> Result<Self, Cancelled> {
        let sides = [
            (left.records, left.nodes, plan.left.as_slice()),
            (right.records, right.nodes, plan.right.as_slice()),
        ];
        Ok(match plan.kind {
            Kind::Text => Field::Words(Words::read(sides, plan.silent, watch)?),
            Kind::Code => Field::Codes(Codes::read(sides, ReadAs::Code, watch)?),
            Kind::Mentions => Field::Codes(Codes::read(sides, ReadAs::Mentions, watch)?),
            Kind::Number => {
                let [l, r] = sides.map(|(records, nodes, columns)| {
                    let mut pulse = Pulse::new(watch);
                    let of = |&node: &Node| {
                        pulse.beat(16)?;
                        let number = columns.iter().find_map(|c| number(c.text(records, node)));
                        Ok(number.unwrap_or(f64::NAN))
                    };
                    nodes.iter().map(of).collect::<Result<Vec<f64>, Cancelled>>()
                });
                let (l, r) = (l?, r?);
                let keys = |all: &[f64]| all.iter().map(|&n| number_key(n)).collect::<Vec<_>>().into_iter();
                let frequency = Frequency::of(keys(&l), keys(&r), [l.len(), r.len()], watch)?;
                Field::Numbers { left: l, right: r, frequency }
            }
            Kind::Amount { flip } => {
                let sign = if flip { -1 } else { 1 };
                let of = |part: Part<'_>, sign: i64| {
                    let mut pulse = Pulse::new(watch);
                    let key = |&n: &Node| {
                        pulse.beat(8)?;
                        let amount = part.records.amount(n).wrapping_mul(sign);
                        Ok(amount_key(amount, part.records.currency(n)))
                    };
                    part.nodes.iter().map(key).collect::<Result<Vec<u64>, Cancelled>>()
                };
                let (l, r) = (of(left, 1)?, of(right, sign)?);
                let records = [l.len(), r.len()];
                let frequency = Frequency::of(l.into_iter(), r.into_iter(), records, watch)?;
                Field::Amounts { frequency, flip }
            }
            Kind::Date => Field::Dates,
        })
    }

    /// Number of levels without `missing`; the levels are 1 to this.
    pub fn levels(&self) -> usize {
        levels_of(match self {
            Field::Words(_) => Kind::Text,
            Field::Codes(_) => Kind::Code,
            Field::Numbers { .. } => Kind::Number,
            Field::Amounts { .. } => Kind::Amount { flip: false },
            Field::Dates => Kind::Date,
        })
    }

    /// How often each level occurs among any two records of files like most: what a few records are judged by,
    /// which teach nothing of their own. Adds up to 1; index 0 is unused.
    pub fn usual(&self) -> Vec<f64> {
        let levels = self.levels();
        let mut usual: Vec<f64> = match self {
            Field::Dates => {
                // Any day of two months is as likely as another.
                let days = |level: usize| match level {
                    1 => 10,
                    l if l == levels => 20,
                    l => DATE_LEVELS[l - 1].min(30) - DATE_LEVELS[l - 2].max(-30),
                };
                (0..=levels).map(|l| if l == 0 { 0.0 } else { days(l).max(1) as f64 }).collect()
            }
            // Each level is rarer than the one below; equality is about one in ten thousand.
            _ => (0..=levels)
                .map(|l| if l == 0 { 0.0 } else { (-14.0 * (l - 1) as f64 / (levels - 1) as f64).exp2() })
                .collect(),
        };
        let sum: f64 = usual.iter().sum();
        usual.iter_mut().for_each(|u| *u /= sum);
        usual
    }

    /// The lowest level that stands in order with the others; the first of texts says that one names nobody the
    /// other side knows, which may be better or worse than naming another.
    pub fn ordered_from(&self) -> usize {
        if matches!(self, Field::Words(_)) { 2 } else { 1 }
    }

    /// The level a date difference of nothing has, for fields whose levels have no order from bad to good.
    pub fn middle(&self) -> Option<usize> {
        matches!(self, Field::Dates).then(|| 1 + DATE_LEVELS.partition_point(|&d| d <= 0))
    }

    /// Reads a little of the right record of each pair (places), before they are compared. Those records lie anywhere: one
    /// after the other, each would wait for memory; together they wait at the same time.
    pub fn fetch(&self, right: Part<'_>, pairs: &[(u32, u32)]) {
        let nodes = right.nodes;
        for place in pairs.iter().map(|&(_, place)| place as usize) {
            std::hint::black_box(match self {
                Field::Words(words) => words.first(Side::Right, place),
                Field::Codes(codes) => codes.right.first(place),
                Field::Numbers { right, .. } => right[place].to_bits(),
                Field::Amounts { .. } => right.records.amount(nodes[place]).cast_unsigned(),
                Field::Dates => right.records.date(nodes[place]) as u64,
            });
        }
    }

    /// `left` and `right` are places.
    pub fn compare(&self, sides: [Part<'_>; 2], left: usize, right: usize) -> Agreement {
        match self {
            Field::Words(words) => match words.compare(left, right) {
                Likeness::Missing => Agreement::default(),
                Likeness::Same { share } => Agreement::rare(TEXT_LEVELS.len() as u8 + 3, share),
                Likeness::Strange => Agreement::of(1),
                Likeness::Alike { similarity, share } => {
                    let level = 2 + TEXT_LEVELS.partition_point(|&s| s <= similarity) as u8;
                    // What two texts share by chance is not rare enough to speak of until they are alike.
                    if level > 5 { Agreement::rare(level, share) } else { Agreement::of(level) }
                }
            },
            Field::Codes(codes) => match codes.compare(left, right) {
                Closeness::Missing => Agreement::default(),
                Closeness::Different => Agreement::of(1),
                Closeness::Alike => Agreement::of(2),
                Closeness::Near => Agreement::of(3),
                Closeness::Shared { share } => Agreement::rare(4, share),
                Closeness::Same { share } => Agreement::rare(5, share),
            },
            Field::Numbers { left: l, right: r, frequency } => {
                let (a, b) = (l[left], r[right]);
                if a.is_nan() || b.is_nan() {
                    return Agreement::default();
                }
                if a == b {
                    return Agreement::rare(NUMBER_LEVELS.len() as u8 + 2, frequency.share(number_key(a)));
                }
                let apart = (a - b).abs() / a.abs().max(b.abs());
                Agreement::of(1 + NUMBER_LEVELS.partition_point(|&limit| apart <= limit) as u8)
            }
            Field::Amounts { frequency, flip } => {
                let (l, r) = (sides[0], sides[1]);
                let (nl, nr) = (l.nodes[left], r.nodes[right]);
                let a = i128::from(l.records.amount(nl));
                let b = i128::from(r.records.amount(nr)) * if *flip { -1 } else { 1 };
                if a == b {
                    let key = amount_key(a as i64, l.records.currency(nl));
                    return Agreement::rare(AMOUNT_LEVELS.len() as u8 + 2, frequency.share(key));
                }
                let apart = (a - b).unsigned_abs() as f64 / a.unsigned_abs().max(b.unsigned_abs()) as f64;
                Agreement::of(1 + AMOUNT_LEVELS.partition_point(|&limit| apart <= limit) as u8)
            }
            Field::Dates => {
                let (l, r) = (sides[0], sides[1]);
                let days =
                    i64::from(r.records.date(r.nodes[right])) - i64::from(l.records.date(l.nodes[left]));
                Agreement::of(1 + DATE_LEVELS.partition_point(|&from| from <= days) as u8)
            }
        }
    }

    /// Texts that have at least half of their words' weight in common, as [`Self::compare`] sees it. Nothing else is.
    pub fn is_half_alike(&self, left: usize, right: usize) -> bool {
        let Field::Words(words) = self else { return false };
        match words.compare(left, right) {
            Likeness::Same { .. } => true,
            Likeness::Alike { similarity, .. } => similarity >= 0.5,
            Likeness::Missing | Likeness::Strange => false,
        }
    }

    /// Hashes by which records of this field find each other, with the number of records that have each where
    /// it is known.
    pub fn each_key(&self, side: Side, place: usize, mut found: impl FnMut(u64, KeyKind)) {
        match self {
            Field::Words(words) => {
                let whole = words.whole(side, place);
                if whole != 0 {
                    found(whole, KeyKind::Whole);
                }
                for (word, letters) in words.each(side, place) {
                    if word.is_known {
                        found(word.hash, KeyKind::Word);
                    }
                    if letters.len() >= 4 && !word.is_reference {
                        // One of two words that begin alike must be unknown to the other side, or each would find
                        // its own: by one kind of key the unknown ones of the left, by the other those of the right.
                        let (mine, others) = if side == Side::Left { (1, 2) } else { (2, 1) };
                        found(prefix_hash(letters) << 2 | others, KeyKind::Prefix);
                        if !word.is_known {
                            found(prefix_hash(letters) << 2 | mine, KeyKind::Prefix);
                        }
                    }
                }
            }
            Field::Codes(codes) => {
                let side_codes = codes.side(side);
                if side_codes.whole(place) != 0 {
                    found(side_codes.whole(place), KeyKind::Whole);
                }
                side_codes.tokens(place).iter().for_each(|&token| found(token, KeyKind::Whole));
            }
            Field::Numbers { .. } | Field::Amounts { .. } | Field::Dates => {}
        }
    }
}

/// What a blocking key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Whole,
    Word,
    /// The first letters of a word, for those that are misspelt or cut off.
    Prefix,
}

pub(super) fn levels_of(kind: Kind) -> usize {
    match kind {
        Kind::Text => TEXT_LEVELS.len() + 3,
        Kind::Code | Kind::Mentions => 5,
        Kind::Number => NUMBER_LEVELS.len() + 2,
        Kind::Amount { .. } => AMOUNT_LEVELS.len() + 2,
        Kind::Date => DATE_LEVELS.len() + 1,
    }
}

fn prefix_hash(letters: &[u8]) -> u64 {
    // Below the hashes of words, which are of 63 bits: no chance of meeting one.
    u64::from(u32::from_le_bytes([letters[0], letters[1], letters[2], letters[3]]))
}

pub(super) fn amount_key(amount: i64, currency: Currency) -> u64 {
    let mut hasher = crate::keys::KeyHasher::new();
    hasher.number(amount.cast_unsigned());
    hasher.currency(currency);
    hasher.finish_u64() >> 1 | 1
}

/// 0 for what is no number.
fn number_key(number: f64) -> u64 {
    if number.is_nan() { 0 } else { (number + 0.0).to_bits() >> 1 | 1 }
}

/// A plain number in a text, with or without a currency sign or per cent; grouping commas are forgotten.
pub(super) fn number(text: &str) -> Option<f64> {
    let mut digits = String::with_capacity(text.len().min(24));
    for c in text.trim().chars() {
        match c {
            '0'..='9' | '.' | '-' => digits.push(c),
            ',' | ' ' | '\'' | '$' | '€' | '£' | '%' => {}
            _ => return None,
        }
        if digits.len() > 24 {
            return None;
        }
    }
    digits.parse::<f64>().ok().filter(|n| n.is_finite())
}
