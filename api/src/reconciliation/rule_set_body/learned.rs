//! Passes that learn from the records.

use super::text::SideWord;
use super::{CHARS_MAX, ITEMS_MAX};
use crate::read::{Fields, Place, ReadBody, choice, list, number, object, text};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Weighs the pairs by what the records themselves teach, instead of by fixed weights.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LearnedRuleBody {
    /// What is compared; every field that both sides have unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 16)]
    compare: Option<Vec<ComparisonBody>>,
    /// From this probability a match stands by itself, below it is suggested; 0.99 unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    confirm: Option<f64>,
}

/// Fields of both sides that say the same thing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComparisonBody {
    #[schema(inline)]
    left: FieldNamesBody,
    #[schema(inline)]
    right: FieldNamesBody,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    kind: Option<CompareAsWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    silent: Option<SideWord>,
}

/// A field, or several joined with a space.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum FieldNamesBody {
    One(String),
    Several(Vec<String>),
}

/// What degrees of agreement two values have; found out from the values unless said.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CompareAsWord {
    Text,
    Code,
    Number,
}

impl ReadBody for LearnedRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let compare = fields
            .optional("compare", list(ITEMS_MAX, |value, place| object(ComparisonBody::read)(value, place)));
        let confirm = fields.optional("confirm", number(0.0..=1.0));
        Some(Self { compare, confirm })
    }
}

impl ReadBody for ComparisonBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let left = fields.required("left", field_names);
        let right = fields.required("right", field_names);
        let kind = fields.optional("as", choice);
        let silent = fields.optional("silent", choice);
        Some(Self { left: left?, right: right?, kind, silent })
    }
}

fn field_names(value: Value, place: &mut Place<'_>) -> Option<FieldNamesBody> {
    if value.is_array() {
        let names = list(ITEMS_MAX, |value, place: &mut Place<'_>| text(0..=CHARS_MAX)(value, place));
        names(value, place).map(FieldNamesBody::Several)
    } else {
        text(0..=CHARS_MAX)(value, place).map(FieldNamesBody::One)
    }
}
