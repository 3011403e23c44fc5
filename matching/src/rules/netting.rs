//! Netting: records of one side that cancel out are no open items.

use super::{AmountRule, Cardinality, DateDirection, DateRule, Key, Normalise, Pass};
use crate::{Side, Tier};
use serde::{Deserialize, Serialize};

/// Joins a record with the one that takes it back, on the same side, before the passes look at it: a booking
/// and its reversal, a payment and its return, a cheque and its voiding.
///
/// The amounts are each other's negative to the minor unit, the currency is the same, and the keys agree.
/// Netted is only what no other record could be netted with as well; the rest stays for the passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NettingRule {
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub name: String,
    /// Whether it stands by itself or waits for a person.
    #[serde(default)]
    pub tier: Tier,
    /// The side it looks at; both, when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// All must be equal and non-empty; at least one.
    #[serde(rename = "key")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 8)))]
    pub keys: Vec<NettingKey>,
    /// The reversal is of the same day or at most so many calendar days later, 0 to 3660.
    #[cfg_attr(feature = "schema", schemars(range(max = 3660)))]
    pub window_days: u32,
}

/// What a record and its reversal have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NettingKey {
    /// Name of a text field, or `id`.
    pub field: String,
    /// The field of the reversal that names it; the same field, when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<String>,
    #[serde(default)]
    pub normalise: Normalise,
}

impl NettingRule {
    pub(crate) fn is_of(&self, side: Side) -> bool {
        self.side.is_none_or(|only| only == side)
    }

    /// The same as a pass between a side and itself: records left, their reversals right.
    pub(crate) fn as_pass(&self) -> Pass {
        let key = |key: &NettingKey| Key {
            left: key.field.clone(),
            right: key.reversal.as_ref().unwrap_or(&key.field).clone(),
            normalise: key.normalise,
            ..Key::default()
        };
        Pass {
            name: self.name.clone(),
            cardinality: Cardinality::OneToOne,
            tier: self.tier,
            keys: self.keys.iter().map(key).collect(),
            amount: AmountRule { flip_sign: true, ..AmountRule::default() },
            date: DateRule {
                window_days: Some(self.window_days),
                direction: DateDirection::RightLater,
                ..DateRule::default()
            },
            ..Pass::default()
        }
    }
}
