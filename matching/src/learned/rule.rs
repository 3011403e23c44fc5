//! How a learned pass is written: which fields are compared, and how.

use crate::Side;
use serde::{Deserialize, Serialize};

/// Learns from the records themselves what speaks for a pair, without examples, and gives each pair the
/// probability that its records belong together.
///
/// The model is that of Fellegi and Sunter (1969): how often each degree of agreement occurs among pairs that
/// belong together and among pairs that do not. The second is counted; the first is found by expectation and
/// maximisation, where a record belongs to one record of the other side at most. Amount and date are always
/// compared where the records have different ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LearnedRule {
    /// What is compared, at most 16. With none: every field that both sides have, each with its namesake; where
    /// no name is on both sides, all texts of one with all texts of the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub compare: Vec<Comparison>,
    /// From this probability (0 to 1) a match stands by itself when the pass is of the tier `confirmed`; below
    /// it is suggested.
    #[serde(default = "default_confirm")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub confirm: f64,
}

fn default_confirm() -> f64 {
    0.99
}

impl Default for LearnedRule {
    fn default() -> Self {
        LearnedRule { compare: vec![], confirm: default_confirm() }
    }
}

/// Fields of both sides that say the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// A text field of the left side, or several, joined with a space.
    pub left: FieldNames,
    pub right: FieldNames,
    /// Found out from the values where it is not given.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub kind: Option<CompareAs>,
    /// For texts: the side where one may name nobody (`SQ *9XK2`), so that not to be like the other says little.
    /// A text without any word that the other side has then gets a weight of its own. Without it, either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent: Option<Side>,
}

/// `"name"` or `["name", "description"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldNames {
    One(String),
    Several(Vec<String>),
}

impl FieldNames {
    pub fn as_slice(&self) -> &[String] {
        match self {
            FieldNames::One(name) => std::slice::from_ref(name),
            FieldNames::Several(names) => names,
        }
    }

    /// Of several, only those that are wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&String) -> bool) {
        if let FieldNames::Several(names) = self {
            names.retain(is_wanted);
        }
    }
}

/// One schema with two types, where a derived one would be a choice of two schemas: readers can say what is wrong
/// with a value without having to guess which of the two was meant.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for FieldNames {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FieldNames".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1,
            "maxItems": 8,
        })
    }
}

/// What degrees of agreement two values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CompareAs {
    /// Words, each counting the less the more records have it; misspelt and cut-off ones count in part.
    Text,
    /// Numbers of papers, telephones, accounts: equal, sharing a reference, one character off, different.
    Code,
    /// Quantities and prices: equal, or so many per cent apart.
    Number,
}
