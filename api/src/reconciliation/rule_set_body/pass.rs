//! One pass.

use super::amount::AmountRuleBody;
use super::currency::CurrencyRuleBody;
use super::date::DateRuleBody;
use super::key::KeyBody;
use super::learned::LearnedRuleBody;
use super::search::SearchRuleBody;
use super::text::TextRuleBody;
use super::{CHARS_MAX, ITEMS_MAX};
use crate::read::{Fields, ReadBody, boolean, choice, list, number, object, signed, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pass)]
pub(super) struct PassBody {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    cardinality: Option<CardinalityWord>,
    /// Whether its matches stand by themselves or wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tier: Option<TierWord>,
    /// Passes run from the lowest number to the highest, those with the same in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = -1000, maximum = 1000)]
    priority: Option<i32>,
    /// Of this pass alone, in place of the rule set's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    threshold: Option<f64>,
    /// Of this pass alone, in place of the rule set's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    ambiguity_margin: Option<f64>,
    /// All must be equal and non-empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 8)]
    key: Option<Vec<KeyBody>>,
    /// A pair whose records both have such a key, and different ones, is no candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 8)]
    conflict: Option<Vec<KeyBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    amount: Option<AmountRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    date: Option<DateRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    currency: Option<CurrencyRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    text: Option<TextRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    doubt: Option<TextRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    search: Option<SearchRuleBody>,
    /// With `1:n` or `n:1` and keys: the single record may be settled in part, or overpaid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    split: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    learned: Option<LearnedRuleBody>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) enum CardinalityWord {
    #[serde(rename = "1:1")]
    OneToOne,
    #[serde(rename = "1:n")]
    OneToMany,
    #[serde(rename = "n:1")]
    ManyToOne,
    #[serde(rename = "n:m")]
    ManyToMany,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Tier)]
pub(crate) enum TierWord {
    Confirmed,
    Suggested,
}

impl ReadBody for PassBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(0..=CHARS_MAX));
        let cardinality = fields.optional("cardinality", choice);
        let tier = fields.optional("tier", choice);
        let priority = fields.optional("priority", signed(-1000..=1000));
        let threshold = fields.optional("threshold", number(0.0..=1.0));
        let ambiguity_margin = fields.optional("ambiguity_margin", number(0.0..=1.0));
        let key = fields.optional("key", list(ITEMS_MAX, |value, place| object(KeyBody::read)(value, place)));
        let conflict =
            fields.optional("conflict", list(ITEMS_MAX, |value, place| object(KeyBody::read)(value, place)));
        let amount = fields.optional("amount", object(AmountRuleBody::read));
        let date = fields.optional("date", object(DateRuleBody::read));
        let currency = fields.optional("currency", object(CurrencyRuleBody::read));
        let text = fields.optional("text", object(TextRuleBody::read));
        let doubt = fields.optional("doubt", object(TextRuleBody::read));
        let search = fields.optional("search", object(SearchRuleBody::read));
        let split = fields.optional("split", boolean);
        let learned = fields.optional("learned", object(LearnedRuleBody::read));
        Some(Self {
            name: name?,
            cardinality,
            tier,
            priority,
            threshold,
            ambiguity_margin,
            key,
            conflict,
            amount,
            date,
            currency,
            text,
            doubt,
            search,
            split,
            learned,
        })
    }
}
