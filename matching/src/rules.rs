//! The rule set: ordered passes, written by people as TOML or JSON. One module per noun.

mod amount;
mod calendar;
mod currency;
mod date;
mod key;
mod netting;
mod pass;
mod search;
mod text;

pub use amount::{AllowedDifference, AmountRule, FeeRule, LesserSide};
pub use calendar::{CalendarRule, KnownCalendar, Weekday};
pub use currency::{CurrencyRule, Rate, Rounded, Rounding};
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RuleSet {
    /// Version of this format; only 1 is known.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
    pub version: u32,
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 200)))]
    pub name: String,
    /// Matches below this (0 to 1), by their evidence or by their probability, are not made; their records go on
    /// to the next pass.
    #[serde(default = "default_threshold")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: f64,
    /// Two candidates closer than this in confidence (0 to 1) are equally good: ambiguous.
    #[serde(default = "default_margin")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub ambiguity_margin: f64,
    /// Candidates listed per exception, 1 to 100.
    #[serde(default = "default_candidates_max")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100)))]
    pub candidates_max: u32,
    /// What is taken out of a side before the passes, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub netting: Vec<NettingRule>,
    /// Calendars of one's own, at most 16.
    #[serde(default, rename = "calendar", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub calendars: Vec<CalendarRule>,
    /// The currency over which a rate is worked out from two others where a pair has none of its own: the one
    /// all rates of the table are quoted in or from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 3)))]
    pub rate_base: Option<String>,
    /// What currencies are worth, for passes that convert; at most 50,000.
    #[serde(default, rename = "rate", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 50000)))]
    pub rates: Vec<Rate>,
    #[serde(rename = "pass")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
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

impl Default for RuleSet {
    /// What a file without any key but its passes would say; it has none.
    fn default() -> Self {
        RuleSet {
            version: 1,
            name: String::new(),
            threshold: default_threshold(),
            ambiguity_margin: default_margin(),
            candidates_max: default_candidates_max(),
            calendars: vec![],
            rate_base: None,
            rates: vec![],
            netting: vec![],
            passes: vec![],
        }
    }
}

impl RuleSet {
    /// The threshold of passes that have none of their own, as [`Confidence`].
    pub fn threshold(&self) -> Confidence {
        Confidence::from_f64(self.threshold)
    }

    /// Indexes of [`Self::passes`] in the order in which they run.
    pub fn passes_in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.passes.len()).collect();
        order.sort_by_key(|&i| self.passes[i].priority);
        order
    }
}

#[cfg(feature = "schema")]
impl RuleSet {
    /// The JSON Schema (draft 2020-12) of a rule set, made from the types that read it.
    pub fn json_schema() -> schemars::Schema {
        let mut schema = schemars::schema_for!(RuleSet);
        let head = schema.ensure_object();
        head.insert("$id".into(), "urn:counterfoil:rule-set:1".into());
        head.insert("title".into(), "Rule set of Counterfoil".into());
        head.values_mut().for_each(tidy_descriptions);
        schema
    }
}

/// Comments are written for readers of the code, in lines and with links: a schema has neither.
#[cfg(feature = "schema")]
fn tidy_descriptions(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(key, value)| match value {
            Value::String(text) if key == "description" => {
                let text_now = text.replace("[`", "`").replace("`]", "`").replace("crate::", "");
                let paragraphs = text_now.split("\n\n").map(|p| p.replace('\n', " "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            _ => tidy_descriptions(value),
        }),
        Value::Array(items) => items.iter_mut().for_each(tidy_descriptions),
        _ => {}
    }
}
