//! What must be equal.

use super::CHARS_MAX;
use crate::read::{Fields, ReadBody, choice, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A field of each side that must be equal once some of it is forgotten.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyBody {
    /// A field of the left mapping, or `id`.
    left: String,
    right: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    normalise: Option<NormaliseWord>,
    /// With normalise `pattern`: the regular expression that finds the reference in both texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    pattern: Option<String>,
    /// Another one for the left text alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    left_pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    right_pattern: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NormaliseWord {
    Exact,
    Alphanumeric,
    Digits,
    Tokens,
    List,
    Pattern,
    CreditorReference,
}

impl ReadBody for KeyBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let left = fields.required("left", text(0..=CHARS_MAX));
        let right = fields.required("right", text(0..=CHARS_MAX));
        let normalise = fields.optional("normalise", choice);
        let pattern = fields.optional("pattern", text(1..=CHARS_MAX));
        let left_pattern = fields.optional("left_pattern", text(1..=CHARS_MAX));
        let right_pattern = fields.optional("right_pattern", text(1..=CHARS_MAX));
        Some(Self { left: left?, right: right?, normalise, pattern, left_pattern, right_pattern })
    }
}
