//! What a reconciliation says: matches, exceptions, and the proof that nothing is missing.

use crate::fees::Fee;
use crate::learned::LearnedEvidence;
use crate::{Currency, Row, Side};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;

/// A probability-like score in [0, 1], exact to one millionth so that results compare byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Confidence(u32);

impl Confidence {
    pub const ONE: Confidence = Confidence(1_000_000);
    pub const ZERO: Confidence = Confidence(0);

    /// Values outside [0, 1] are clamped; NaN becomes 0.
    pub fn from_f64(value: f64) -> Self {
        Confidence((value.clamp(0.0, 1.0) * 1e6).round() as u32)
    }

    /// `None` above one million.
    pub fn from_millionths(millionths: u32) -> Option<Self> {
        (millionths <= 1_000_000).then_some(Confidence(millionths))
    }

    pub fn millionths(self) -> u32 {
        self.0
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl Serialize for Confidence {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.as_f64())
    }
}

/// One piece of evidence for or against a pairing, in words a bookkeeper can check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// `reference`, `amount`, `date`, `text`, `sum`, or the name of a key field.
    pub field: String,
    /// "amount equal", "date 2 days later", "reference INV-4711 on both sides".
    pub says: String,
    /// Contribution to the confidence, -1 to 1.
    pub weight: f64,
}

/// Whether a pass may settle a match alone or only propose it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    #[default]
    Confirmed,
    Suggested,
}

/// Records of one side of a match, sorted. Nearly always one, which then costs no allocation.
#[derive(Clone)]
pub enum Rows {
    One(Row),
    /// Boxed twice, for the sake of the millions that are one: a thin pointer leaves them at 16 bytes.
    Many(Box<Box<[Row]>>),
}

impl Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        match self {
            Rows::One(row) => std::slice::from_ref(row),
            Rows::Many(rows) => rows,
        }
    }
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        if let [row] = *rows { Rows::One(row) } else { Rows::Many(Box::new(rows.into())) }
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Rows {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

/// Records of both sides that belong together. Both lists are non-empty and sorted.
///
/// The reasons are not part of it: there may be millions of matches and few that anybody reads.
/// [`crate::Reasoner::reasons`] gives them on demand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// Index into [`crate::RuleSet::passes`].
    pub pass: u16,
    pub tier: Tier,
    pub confidence: Confidence,
    pub currency: Currency,
    pub left: Rows,
    pub right: Rows,
    /// Sum of the left amounts minus the (sign-adjusted) sum of the right amounts, minor units; within the
    /// pass's tolerance.
    pub difference: i64,
    /// What cannot be seen from the records alone.
    #[serde(skip)]
    pub(crate) evidence: MatchEvidence,
}

/// The part of a match's evidence that depends on all records and not only on its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MatchEvidence {
    /// See [`crate::evidence::KeyEvidence::spread`].
    pub spread: u32,
    /// Similarity of the texts where the pass compares them.
    pub text: Option<f32>,
    /// How many identical records the one of this side is one of: 1 when it has no twin, 0 for a group.
    pub left_twins: u32,
    pub right_twins: u32,
    /// Of a searched group, how many records it was chosen from.
    pub in_reach: u8,
    pub fee: Option<Fee>,
    /// Of a learned pass.
    pub learned: Option<Box<LearnedEvidence>>,
}

/// Why a record ended without a match. Each kind asks for a different action of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// A right record without any plausible left record.
    MissingLeft,
    /// A left record without any plausible right record.
    MissingRight,
    /// The counterpart is there (same key or text, date in the window) but the amount is outside tolerance.
    AmountDiffers,
    /// The counterpart is there, amount equal, but the date is outside the window.
    DateDiffers,
    /// The counterpart is there in another currency.
    CurrencyDiffers,
    /// Looks like another record of its own side that has the match (same key, amount and currency).
    Duplicate,
    /// Several counterparts are equally good; all are listed and none was chosen.
    Ambiguous,
}

impl ExceptionKind {
    pub const ALL: [ExceptionKind; 7] = [
        Self::MissingLeft,
        Self::MissingRight,
        Self::AmountDiffers,
        Self::DateDiffers,
        Self::CurrencyDiffers,
        Self::Duplicate,
        Self::Ambiguous,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingLeft => "missing_left",
            Self::MissingRight => "missing_right",
            Self::AmountDiffers => "amount_differs",
            Self::DateDiffers => "date_differs",
            Self::CurrencyDiffers => "currency_differs",
            Self::Duplicate => "duplicate",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// A record (or group) of the other side that might belong to the exception's record; for
/// [`ExceptionKind::Duplicate`] a record of the *same* side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    pub side: Side,
    /// Non-empty, sorted.
    pub rows: Vec<Row>,
    pub confidence: Confidence,
    pub reasons: Vec<Reason>,
}

/// A record without a match, and what a person should look at next.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exception {
    pub kind: ExceptionKind,
    pub side: Side,
    pub row: Row,
    /// One plain sentence.
    pub says: String,
    /// Best first; bounded by [`crate::RuleSet::candidates_max`]. All equally good ones for `Ambiguous`.
    pub candidates: Vec<Candidate>,
    /// How many candidates there were when more than the bound were found, else `candidates.len()`.
    pub candidates_found: u32,
}

/// The bridge of one currency, minor units, every amount with the sign its file gave it.
///
/// `left_total == left_matched + left_unmatched`, likewise right, and
/// `left_matched - right_matched + 2 * right_flipped == matched_difference`: where a pass negates the right
/// amounts (`flip_sign`), a difference is left *plus* right, and the last term says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrencyProof {
    pub currency: Currency,
    pub left_count: u64,
    pub right_count: u64,
    pub left_total: i128,
    pub right_total: i128,
    pub left_matched: i128,
    pub right_matched: i128,
    pub left_unmatched: i128,
    pub right_unmatched: i128,
    /// Sum of [`Match::difference`] of this currency, added up match by match (not derived from the totals).
    pub matched_difference: i128,
    /// The part of `right_matched` that was matched with its sign flipped. 0 without such a pass.
    pub right_flipped: i128,
}

impl CurrencyProof {
    /// `left_total - right_total` less everything that explains it: matched differences, flipped signs and
    /// unmatched records of either side. Zero, or money is unaccounted for.
    pub fn residual(&self) -> i128 {
        (self.left_total - self.right_total) - self.matched_difference - self.left_unmatched
            + self.right_unmatched
            + 2 * self.right_flipped
    }
}

/// How much one pass did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassCount {
    pub name: String,
    pub matches: u64,
    pub left_records: u64,
    pub right_records: u64,
    /// Blocks (in a pass without keys: records) that hit a limit of work and were left to later passes.
    /// Counted, never silent.
    pub gave_up: u64,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// By confidence, best first, then by smallest left row.
    pub matches: Vec<Match>,
    /// By kind, then side, then row.
    pub exceptions: Vec<Exception>,
    /// By currency code.
    pub proof: Vec<CurrencyProof>,
    pub passes: Vec<PassCount>,
}
