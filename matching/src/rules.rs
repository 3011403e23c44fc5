//! The rule set: ordered passes, written by people as TOML or JSON. One module per noun.

mod amount;
mod date;
mod key;
mod netting;
mod pass;
mod search;
mod text;

pub use amount::{AmountRule, FeeRule};
pub use date::{DateDirection, DateRule};
pub use key::{Key, Normalise};
pub use netting::{NettingKey, NettingRule};
pub use pass::{Cardinality, Pass};
pub use search::SearchRule;
pub use text::TextRule;

use crate::Confidence;
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
    /// What is taken out of a side before the passes, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netting: Vec<NettingRule>,
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
