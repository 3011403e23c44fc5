//! Amounts in different currencies, and the rates between them.

use serde::{Deserialize, Serialize};

/// Whether a pass compares records of different currencies, and how. In passes one to one, and in passes of sums
/// with keys.
///
/// One to one the left amount is converted into the right record's currency at the rate of the left record's date,
/// exactly, and rounded once to that currency's minor unit. Pairs in one currency are compared as in every pass.
///
/// In a sum the parts are converted into the currency of the single record, each at the rate of its own date; the
/// records of a key are then one sum, whatever their currencies. Of groups against groups (`n:m`) the left records
/// are converted into the currency of the right ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CurrencyRule {
    /// Without it currencies must be equal.
    #[serde(default)]
    pub convert: bool,
    /// Allowed between converted amounts, per cent of the larger one, 0 to 100, at most four decimals, in text:
    /// "0.5". The pass's amount rule, in the right record's currency, counts where it allows more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// A rate may be so many calendar days older than the record that is converted, 0 to 366; 5 unless said otherwise, which
    /// carries a rate over a long weekend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 366)))]
    pub rate_window_days: Option<u32>,
    #[serde(default)]
    pub rounding: Rounding,
    /// In a sum, what is rounded: each record by itself, or what all records of one currency at one rate are
    /// together.
    #[serde(default, skip_serializing_if = "Rounded::is_each")]
    pub rounded: Rounded,
}

/// To the minor unit of the currency converted into.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// A half goes away from zero, as merchants round.
    #[default]
    HalfUp,
    /// A half goes to the even neighbour, as bankers round.
    HalfEven,
}

/// What of a converted sum is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rounded {
    /// Each record, as one who converts every payment by itself.
    #[default]
    Each,
    /// The total of the records of one currency at one rate, as one who converts a batch at once.
    Total,
}

impl Rounded {
    fn is_each(&self) -> bool {
        *self == Self::Each
    }
}

/// One unit of `from` is worth `rate` units of `to` on that day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// ISO 4217.
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 3)))]
    pub from: String,
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 3)))]
    pub to: String,
    /// "2026-01-31", years 1900 to 2199.
    pub date: String,
    /// More than 0, at most eight digits before the point and ten after it, in text so that it is exact: "0.9231".
    pub rate: String,
}
