//! How alike texts must be.

use super::{CHARS_MAX, ITEMS_MAX};
use crate::read::{Fields, ReadBody, choice, list, number, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How alike texts must be: those of `text` for a pair to be a candidate, those of `doubt` for its match to be more than
/// suggested, where both name somebody the other side knows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TextRuleBody {
    /// Fields of the left mapping.
    left: Vec<String>,
    right: Vec<String>,
    #[schema(minimum = 0, maximum = 1)]
    min: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    silent: Option<SideWord>,
}

/// The side whose texts are not held against a pair where they have no word of the other side.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SideWord {
    Left,
    Right,
}

impl ReadBody for TextRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let left = fields.required("left", list(ITEMS_MAX, |value, place| text(0..=CHARS_MAX)(value, place)));
        let right =
            fields.required("right", list(ITEMS_MAX, |value, place| text(0..=CHARS_MAX)(value, place)));
        let min = fields.required("min", number(0.0..=1.0));
        let silent = fields.optional("silent", choice);
        Some(Self { left: left?, right: right?, min: min?, silent })
    }
}
