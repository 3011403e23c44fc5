//! Records without a match.

use super::{Confidence, Reason};
use crate::{Row, Side};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

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
    /// The record is in a confirmed match of an earlier run that this one continues. Not an open item.
    AlreadyMatched,
}

impl ExceptionKind {
    pub const ALL: [ExceptionKind; 8] = [
        Self::MissingLeft,
        Self::MissingRight,
        Self::AmountDiffers,
        Self::DateDiffers,
        Self::CurrencyDiffers,
        Self::Duplicate,
        Self::Ambiguous,
        Self::AlreadyMatched,
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
            Self::AlreadyMatched => "already_matched",
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
    /// One plain sentence. The same one, kept once, for all that have nothing to tell: that may be nearly all of a
    /// million.
    pub says: Cow<'static, str>,
    /// Best first; bounded by [`crate::RuleSet::candidates_max`]. All equally good ones for `Ambiguous`.
    pub candidates: Vec<Candidate>,
    /// How many candidates there were when more than the bound were found, else `candidates.len()`.
    pub candidates_found: u32,
}
