//! A netting rule as it is sent: the shape of [`matching::NettingRule`].

use super::rule_set_body::{CHARS_MAX, ITEMS_MAX, NormaliseWord, SideWord, TierWord};
use crate::read::{Fields, ReadBody, choice, integer, list, object, text};
use serde::Serialize;
use utoipa::ToSchema;

/// Records of one side that take each other back, taken out before the passes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NettingRuleBody {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tier: Option<TierWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    side: Option<SideWord>,
    #[schema(inline, min_items = 1, max_items = 8)]
    key: Vec<NettingKeyBody>,
    /// Calendar days from a record to what takes it back.
    #[schema(maximum = 3660)]
    window_days: u32,
}

/// What a record and the one that takes it back have in common.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NettingKeyBody {
    /// A field of the mapping, or `id`.
    field: String,
    /// The field of the reversal that names it; the same field unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reversal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    normalise: Option<NormaliseWord>,
}

impl ReadBody for NettingRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(0..=CHARS_MAX));
        let tier = fields.optional("tier", choice);
        let side = fields.optional("side", choice);
        let key = fields
            .required("key", list(ITEMS_MAX, |value, place| object(NettingKeyBody::read)(value, place)));
        let window_days = fields.required("window_days", integer(0..=3660));
        Some(Self { name: name?, tier, side, key: key?, window_days: window_days? })
    }
}

impl ReadBody for NettingKeyBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let field = fields.required("field", text(0..=CHARS_MAX));
        let reversal = fields.optional("reversal", text(0..=CHARS_MAX));
        let normalise = fields.optional("normalise", choice);
        Some(Self { field: field?, reversal, normalise })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;

    #[test]
    fn the_schema_is_what_is_read() {
        assert_schema_is_read::<NettingRuleBody>();
        assert_schema_is_read::<NettingKeyBody>();
    }
}
