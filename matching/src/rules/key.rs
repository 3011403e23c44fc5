//! What must be equal.

use serde::{Deserialize, Serialize};

/// A field of each side that must be equal after normalisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Name of a text field of the left side, or `id`.
    pub left: String,
    pub right: String,
    #[serde(default)]
    pub normalise: Normalise,
    /// With `normalise = "pattern"`: the regular expression that finds the reference in both texts, at most 500
    /// characters, without look-around or back-references, so that it takes time in proportion to the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 500)))]
    pub pattern: Option<String>,
    /// Another expression for the left text alone; a side with neither is compared as by `alphanumeric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 500)))]
    pub left_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 500)))]
    pub right_pattern: Option<String>,
}

/// What is forgotten before keys are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// In a pass `1:n` or `n:1`: a cell of the single record lists the keys of the many, separated by `|`, `;`, `,` or
    /// line ends, each compared as by `alphanumeric`. What two cells list belongs to neither.
    List,
    /// What the key's pattern finds first: its groups written together, or all of it where it has none; then as
    /// by `alphanumeric`. `INV-?(\d{4})-?(\d+)` makes `20264711` of `Re INV-2026-4711`.
    Pattern,
    /// A creditor reference whose check digits are right, in its shortest form: ISO 11649 (`RF18 5390 …`), Swiss
    /// QR and ESR references, Norwegian KID, Swedish OCR and Finnish numbers; see `docs/matching.md`.
    CreditorReference,
}
