//! How far amounts may be apart.

use serde::{Deserialize, Serialize};

/// How far the amounts (or group sums) may be apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Larger differences that have a name, at most eight: the first that covers one is its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
    pub allowed: Vec<AllowedDifference>,
    /// Right amounts are negated first: a payment of -10 matches an invoice of 10.
    #[serde(default)]
    pub flip_sign: bool,
}

/// A difference that is right for a reason: a bank's charge, a discount for paying early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AllowedDifference {
    /// What a match within it says.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub name: String,
    /// As in [`AmountRule`]; one of the two is needed, and the larger allowance counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    #[serde(default)]
    pub side: LesserSide,
}

/// Which amount is the lesser one, with its sign: a charge lowers what the bank books, in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LesserSide {
    #[default]
    Either,
    LeftLess,
    RightLess,
}

/// A fee kept back from a sum: the single amount is the sum less the fee, to the minor unit in either
/// rounding. With neither part given both are learned, currency by currency, from the sums that a key joins
/// to one single record each; a schedule that explains fewer than 20 of them is not used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FeeRule {
    /// Per cent of the sum, 0 to 50, at most two decimals, in text: "1.4".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<String>,
    /// Major units for each record of the sum, at most two decimals, in text: "0.25".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_item: Option<String>,
}
