//! What must be equal.

use serde::{Deserialize, Serialize};

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
