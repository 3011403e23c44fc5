//! A rule set as it is sent: the shape of [`matching::RuleSet`], read so that every mistake is reported.

mod amount;
mod calendar;
mod currency;
mod date;
mod key;
mod learned;
mod pass;
mod search;
mod text;

pub(crate) use currency::RateBody;
pub(super) use key::NormaliseWord;
pub(super) use pass::TierWord;
pub(super) use text::SideWord;

use super::netting_body::NettingRuleBody;
use crate::problem::Mistake;
use crate::read::{Fields, ReadBody, integer, list, number, object, push_pointer, text};
use calendar::CalendarBody;
use matching::{Rate, RuleError, RuleSet};
use pass::PassBody;
use serde::Serialize;
use utoipa::ToSchema;

/// Ordered passes; each looks at what the ones before it left.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleSet)]
pub(crate) struct RuleSetBody {
    /// Of this format.
    #[schema(minimum = 1, maximum = 1)]
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Matches below this confidence are not made; 0.5 unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    threshold: Option<f64>,
    /// Two candidates closer than this in confidence are equally good: ambiguous.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    ambiguity_margin: Option<f64>,
    /// Candidates listed per exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    candidates_max: Option<u32>,
    /// Of one's own, for windows in business days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 16)]
    calendar: Option<Vec<CalendarBody>>,
    /// Rates of two other currencies give a third one over this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 3, max_length = 3)]
    rate_base: Option<String>,
    /// For passes that convert.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 50000)]
    rate: Option<Vec<RateBody>>,
    /// Taken out of a side before the passes, in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 16)]
    netting: Option<Vec<NettingRuleBody>>,
    #[schema(min_items = 1, max_items = 64)]
    pass: Vec<PassBody>,
}

/// Longer texts and lists are never right, and [`RuleSet::check`] says what is.
pub(super) const CHARS_MAX: usize = 1000;
pub(super) const ITEMS_MAX: usize = 1000;
const HOLIDAYS_MAX: usize = 5_000;
pub(crate) const RATES_MAX: usize = 50_000;

impl ReadBody for RuleSetBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let version = fields.required("version", integer(0..=u32::MAX));
        let name = fields.optional("name", text(0..=CHARS_MAX));
        let threshold = fields.optional("threshold", number(0.0..=1.0));
        let ambiguity_margin = fields.optional("ambiguity_margin", number(0.0..=1.0));
        let candidates_max = fields.optional("candidates_max", integer(1..=100));
        let calendar = fields
            .optional("calendar", list(ITEMS_MAX, |value, place| object(CalendarBody::read)(value, place)));
        let rate_base = fields.optional("rate_base", text(3..=3));
        let rate =
            fields.optional("rate", list(RATES_MAX, |value, place| object(RateBody::read)(value, place)));
        let netting = fields
            .optional("netting", list(ITEMS_MAX, |value, place| object(NettingRuleBody::read)(value, place)));
        let pass =
            fields.required("pass", list(ITEMS_MAX, |value, place| object(PassBody::read)(value, place)));
        Some(Self {
            version: version?,
            name,
            threshold,
            ambiguity_margin,
            candidates_max,
            calendar,
            rate_base,
            rate,
            netting,
            pass: pass?,
        })
    }
}

impl RuleSetBody {
    /// The rule set, or everything that is wrong with it. The fields of a side are looked at when they are known.
    pub fn check(
        &self,
        left_fields: Option<&[String]>,
        right_fields: Option<&[String]>,
    ) -> Result<RuleSet, Vec<Mistake>> {
        let value = serde_json::to_value(self).expect("texts and finite numbers are always JSON");
        let rules: RuleSet = serde_json::from_value(value).map_err(|error| {
            // Not reached while both shapes agree, which a test below watches.
            vec![mistake_at("#/rules", &RuleError { at: String::new(), says: error.to_string() })]
        })?;
        let errors = rules.check(left_fields, right_fields);
        if errors.is_empty() {
            Ok(rules)
        } else {
            Err(errors.iter().map(|error| mistake_at("#/rules", error)).collect())
        }
    }
}

/// What was read, for a rule set that is not sent itself.
pub(crate) fn rates_of(rates: &[RateBody]) -> Vec<Rate> {
    rates.iter().map(Rate::from).collect()
}

/// In the rule set at `root` (`#/rules`), `pass[2].amount.percent` is `#/rules/pass/2/amount/percent`.
pub(crate) fn mistake_at(root: &str, error: &RuleError) -> Mistake {
    let mut pointer = root.to_owned();
    for part in error.at.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        push_pointer(&mut pointer, part);
    }
    Mistake { pointer: Some(pointer), parameter: None, code: "rule", detail: error.says.clone() }
}

#[cfg(test)]
mod tests;
