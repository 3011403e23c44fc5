//! The rule set: ordered passes, written by people as TOML or JSON.

use crate::{Confidence, LearnedRule, Side, Tier};
use serde::{Deserialize, Serialize};

/// Ordered passes over what earlier passes left, with the bounds that keep the work finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Version of this format; only 1 is known.
    pub version: u32,
    #[serde(default)]
    pub name: String,
    /// Matches below this confidence (0 to 1) are not made; their records go on to the next pass.
    #[serde(default = "default_threshold")]
    pub threshold: f64,
    /// Two candidates closer than this in confidence (0 to 1) are equally good: ambiguous.
    #[serde(default = "default_margin")]
    pub ambiguity_margin: f64,
    /// Candidates listed per exception, 1 to 100.
    #[serde(default = "default_candidates_max")]
    pub candidates_max: u32,
    #[serde(rename = "pass")]
    pub passes: Vec<Pass>,
}

fn default_threshold() -> f64 {
    0.5
}
fn default_margin() -> f64 {
    0.02
}
fn default_candidates_max() -> u32 {
    5
}

/// One look at the records that earlier passes left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    pub name: String,
    #[serde(default)]
    pub cardinality: Cardinality,
    /// Whether its matches stand by themselves or wait for a person.
    #[serde(default)]
    pub tier: Tier,
    /// Equality keys; all must be equal and non-empty. With none, amount and date block the pairs.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    #[serde(default)]
    pub amount: AmountRule,
    #[serde(default)]
    pub date: DateRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRule>,
    /// Only in a pass of sums without keys, and needed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRule>,
    /// Weighs the pairs by what the records themselves teach, instead of by fixed weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedRule>,
}

/// How many records of each side one match joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cardinality {
    #[default]
    #[serde(rename = "1:1")]
    OneToOne,
    /// One left record against the sum of all right records with its key.
    #[serde(rename = "1:n")]
    OneToMany,
    /// The sum of all left records with a key against one right record.
    #[serde(rename = "n:1")]
    ManyToOne,
}

/// A field of each side that must be equal after normalisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Name of a text field of the left side, or `id`.
    pub left: String,
    pub right: String,
    #[serde(default)]
    pub normalise: Normalise,
}

/// What is forgotten before keys are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// White space at the ends only.
    Exact,
    /// Letter case and everything that is not a letter or digit.
    #[default]
    Alphanumeric,
    /// All but digits, without leading zeros: `INV-0047/11` and `Rechnung 4711` are equal.
    Digits,
    /// The references inside a longer text. Every run of digits, and every one to three neighbouring words
    /// written together, that has at least four digits is one token (upper case, numbers without leading
    /// zeros, at most 32 per text). Two records share the key when they share a token; the fewer records
    /// have it, the more it counts, and one that joins more than a hundred pairs counts for nothing.
    /// `PAYOUT 00001234 THANKS` and `Payout-1234` share `1234`, were it written `PAYOUT-00001234`
    /// also `PAYOUT00001234`. In a sum pass the many side is grouped as by `alphanumeric`. At most one
    /// key of a pass may use it.
    Tokens,
}

/// How far the amounts (or group sums) may be apart. Currencies are always equal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmountRule {
    /// In major units of the record's currency, a decimal in text so that it is exact: "0.05".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<String>,
    /// Per cent of the larger amount, 0 to 100, at most four decimals, in text: "0.5". With `absolute`, the
    /// larger of both allowances counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// In a pass of sums: what the payer kept back of the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<FeeRule>,
    /// Right amounts are negated first: a payment of -10 matches an invoice of 10.
    #[serde(default)]
    pub flip_sign: bool,
}

/// A fee kept back from a sum: the single amount is the sum less the fee, to the minor unit in either
/// rounding. With neither part given both are learned, currency by currency, from the sums that a key joins
/// to one single record each; a schedule that explains fewer than 20 of them is not used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeRule {
    /// Per cent of the sum, 0 to 50, at most two decimals, in text: "1.4".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// Major units for each record of the sum, at most two decimals, in text: "0.25".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_item: Option<String>,
}

/// Looks for the records that add up to a single one among those with a like text inside the window.
///
/// A match is made only where exactly one choice of two or more records gives the sum, where chance alone
/// would not have given one, and where no other record wants any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRule {
    /// Records in reach of one search, 2 to 20; where there are more, it gives up.
    #[serde(default = "default_search_records_max")]
    pub records_max: u32,
}

fn default_search_records_max() -> u32 {
    16
}

impl Default for SearchRule {
    fn default() -> Self {
        SearchRule { records_max: default_search_records_max() }
    }
}

/// How far the dates may be apart; right minus left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateRule {
    /// Calendar days, 0 to 3660. `None` in a keyed pass: any distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_days: Option<u32>,
    #[serde(default)]
    pub direction: DateDirection,
}

impl Default for DateRule {
    fn default() -> Self {
        DateRule { window_days: None, direction: DateDirection::Either }
    }
}

/// Which side may be later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateDirection {
    #[default]
    Either,
    RightLater,
    LeftLater,
}

/// Similarity of free texts, 0 to 1: the share of the shorter text's words that the other one has too,
/// misspelt and cut-off words in part. Words count the less the more records have them (`GmbH`,
/// `TRANSFER`), and references are held against a pair only where both texts have some.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    /// Text fields of the left side, joined with a space.
    pub left: Vec<String>,
    pub right: Vec<String>,
    /// Pairs below are not candidates.
    pub min: f64,
    /// Pairs below `min` are candidates all the same, without evidence from their texts, where the text of
    /// this side has no word that any record of the other side has: `SQ *9XK2` says nothing about who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Side>,
}

/// One mistake in a rule set, with its place: `pass[2].amount.percent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleError {
    pub at: String,
    pub says: String,
}

impl RuleSet {
    /// The threshold as [`Confidence`].
    pub fn threshold(&self) -> Confidence {
        Confidence::from_f64(self.threshold)
    }
}
