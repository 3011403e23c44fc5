//! One pass: which records it looks at together, and what it asks of them.

use super::{AmountRule, CurrencyRule, DateRule, Key, SearchRule, TextRule};
use crate::{LearnedRule, Tier};
use serde::{Deserialize, Serialize};

/// One look at the records that earlier passes left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pass {
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub name: String,
    #[serde(default)]
    pub cardinality: Cardinality,
    /// Whether its matches stand by themselves or wait for a person.
    #[serde(default)]
    pub tier: Tier,
    /// Passes run from the lowest number to the highest, those with the same in the order of the file; -1000 to
    /// 1000.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[cfg_attr(feature = "schema", schemars(range(min = -1000, max = 1000)))]
    pub priority: i32,
    /// Of this pass alone, in place of the rule set's; 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub ambiguity_margin: Option<f64>,
    /// Equality keys; all must be equal and non-empty. With none, amount and date block the pairs.
    #[serde(default, rename = "key", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
    pub keys: Vec<Key>,
    /// Keys that speak against a pair: records that both have one, and different ones, are no candidates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 8)))]
    pub conflict: Vec<Key>,
    #[serde(default)]
    pub amount: AmountRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<CurrencyRule>,
    #[serde(default)]
    pub date: DateRule,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRule>,
    /// One to one: a match whose texts are less alike than `min`, though each of them names somebody whom the other
    /// side knows, is only suggested; where a number without its prefix is all it rests on, it is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<TextRule>,
    /// In a pass of sums: looks for the records that add up, where not all of the key do. Needed in one
    /// without keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRule>,
    /// In a pass `1:n` or `n:1` with keys: the single record may be settled in part, or overpaid, by smaller
    /// ones. What is over is [`crate::Match::remainder`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub split: bool,
    /// Weighs the pairs by what the records themselves teach, instead of by fixed weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedRule>,
}

fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// How many records of each side one match joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The sum of all left records with a key against the sum of all right ones with it.
    #[serde(rename = "n:m")]
    ManyToMany,
}
