//! What a reconciliation says: matches, exceptions, and the proof that nothing is missing.

mod exception;
mod proof;

pub use exception::{Candidate, Exception, ExceptionKind};
pub use proof::CurrencyProof;

use crate::evidence::Evidence;
use crate::fees::Fee;
use crate::learned::LearnedEvidence;
use crate::plan::Plan;
use crate::{Currency, Row, Side};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;

/// A probability in [0, 1], exact to one millionth so that results compare byte for byte.
///
/// Of a match: how often such a match is right in these very files ([`crate::chance`], or a learned pass). Of an
/// exception's candidate that no learned pass weighed: the sum of its evidence, to compare with others of its kind.
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
    /// In a pass with fixed weights its part of the confidence, -1 to 1, the sum of all. In a learned pass bits:
    /// their sum is log2 of the odds, and the confidence 1 / (1 + 2^-sum).
    pub weight: f64,
}

/// Whether a pass may settle a match alone or only propose it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Records of both sides that belong together, or of one side that cancel out. Both lists are sorted; one of
/// them is empty only where the match is netted.
///
/// The reasons are not part of it: there may be millions of matches and few that anybody reads.
/// [`crate::Reasoner::reasons`] gives them on demand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// Index into [`crate::RuleSet::passes`], and behind these into [`crate::RuleSet::netting`]; so also into
    /// [`Outcome::passes`].
    pub pass: u16,
    pub tier: Tier,
    pub confidence: Confidence,
    /// In which the amounts were compared: of the right records, or of the single one of a sum. Others may be in
    /// another, see [`crate::Reasoner::conversions`].
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

impl Match {
    /// Records of one side that cancel out: an amount and its reversal. The difference is 0.
    pub fn is_netted(&self) -> bool {
        self.left.is_empty() || self.right.is_empty()
    }

    /// What stays open of the larger amount after a part payment, in a pass with `split`. All of the
    /// difference: `None` where that is within the tolerance or explained by a fee.
    pub fn remainder(&self) -> Option<OpenRemainder> {
        let (side, amount) = match self.evidence.note {
            Note::OpenLeft => (Side::Left, self.difference),
            Note::OpenRight => (Side::Right, -self.difference),
            Note::OpenRightFlipped => (Side::Right, self.difference),
            Note::Nothing | Note::Contradicted | Note::ReversalNegative | Note::ReversalPositive => {
                return None;
            }
        };
        Some(OpenRemainder { side, amount })
    }

    /// The smallest row, for an order that every match has.
    pub(crate) fn first_rows(&self) -> (Option<Row>, Option<Row>) {
        // Those with left rows first.
        (self.left.first().copied().or(Some(Row::MAX)), self.right.first().copied())
    }
}

/// The part of a match's evidence that depends on all records and not only on its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MatchEvidence {
    /// See [`crate::evidence::KeyEvidence::spread`].
    pub spread: u32,
    /// How many identical records the one of this side is one of: 1 when it has no twin, 0 for a group.
    pub left_twins: u32,
    pub right_twins: u32,
    pub note: Note,
    pub rare: RareEvidence,
}

/// What most matches have nothing of: a pointer in each of millions, and memory only for those that have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RareEvidence(Option<Box<Rarities>>);

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rarities {
    /// Similarity of the texts where the pass compares them.
    pub text: Option<f32>,
    /// Of a searched group, how many records it was chosen from.
    pub in_reach: u16,
    pub fee: Option<Fee>,
    /// Of a learned pass.
    pub learned: Option<LearnedEvidence>,
}

impl RareEvidence {
    pub const NONE: RareEvidence = RareEvidence(None);

    pub fn of(all: Rarities) -> Self {
        RareEvidence((all != Rarities::default()).then(|| Box::new(all)))
    }

    pub fn get(&self) -> Option<&Rarities> {
        self.0.as_deref()
    }
}

/// What a match is besides equal sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Note {
    Nothing,
    /// The difference is a part of the left amount that stays open.
    OpenLeft,
    /// The negative of the difference is a part of the right amount that stays open.
    OpenRight,
    /// The same where right amounts are compared with their sign flipped: the difference as it is.
    OpenRightFlipped,
    /// Its texts say otherwise, see [`Contradicted`].
    Contradicted,
    /// Netted, and the negative amount takes back the positive one.
    ReversalNegative,
    ReversalPositive,
}

/// What texts that say otherwise take from the evidence of a match.
pub(crate) struct Contradicted;

impl Contradicted {
    /// By judgement: about as much as an amount that does not fit would; six bits of odds.
    const WEIGHT: f64 = -0.3;

    pub fn less(evidence: Confidence) -> Confidence {
        Confidence::from_f64((evidence.as_f64() + Self::WEIGHT).max(0.0))
    }

    /// `field`: where the texts are.
    pub fn reason(field: &str) -> Reason {
        let says = "the texts name two, each known to the other side";
        Reason { field: field.to_owned(), says: says.into(), weight: Self::WEIGHT }
    }
}

impl Note {
    pub fn of(plan: &Plan<'_>, evidence: &Evidence) -> Self {
        match (evidence.settled.map(|settled| settled.larger), plan.allowance.flip_sign) {
            (None, _) => Note::Nothing,
            (Some(Side::Left), _) => Note::OpenLeft,
            (Some(Side::Right), false) => Note::OpenRight,
            (Some(Side::Right), true) => Note::OpenRightFlipped,
        }
    }
}

/// What of a match stays open after a part payment, or is too much after an overpayment.
///
/// The match's records are all matched, once; this part of the larger amount is an open item that a later
/// reconciliation may carry forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OpenRemainder {
    pub side: Side,
    /// Minor units of the match's currency, not 0, with the sign that the side's file gives such amounts: of
    /// an invoice of -100 with -70 paid, -30.
    pub amount: i64,
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
    /// Connected pieces of candidate pairs with more than 200 nodes or 1,000 records on a side: there only
    /// what is clearly the best of both its ends was matched, not the best choice of all.
    pub beyond_bound: u64,
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
    /// In the order of the rule set, then its netting rules.
    pub passes: Vec<PassCount>,
}
