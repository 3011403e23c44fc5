//! How far amounts may be apart.

use super::{CHARS_MAX, ITEMS_MAX};
use crate::read::{Fields, ReadBody, boolean, choice, list, object, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far the amounts may be apart. Larger differences may be allowed that have a name: the first that covers one is its
/// reason. Decimals in text, so that they are exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AmountRuleBody {
    /// In major units: "0.05".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    absolute: Option<String>,
    /// Of the larger amount: "0.5".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    fee: Option<FeeRuleBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 8)]
    allowed: Option<Vec<AllowedBody>>,
    /// Right amounts are negated first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    flip_sign: Option<bool>,
}

/// In a pass of sums: what was kept back of the sum, each part learned where neither is given. Decimals in text, so
/// that they are exact.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeeRuleBody {
    /// Of the sum: "1.4".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    /// In major units, for each record of the sum: "0.25".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    per_item: Option<String>,
}

/// A difference that is right for a reason; absolute or percent is needed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowedBody {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// In major units: "15.00".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    absolute: Option<String>,
    /// Of the larger amount: "3".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    percent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    side: Option<LesserSideWord>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LesserSideWord {
    Either,
    LeftLess,
    RightLess,
}

impl ReadBody for AmountRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            absolute: fields.optional("absolute", text(0..=CHARS_MAX)),
            percent: fields.optional("percent", text(0..=CHARS_MAX)),
            fee: fields.optional("fee", object(FeeRuleBody::read)),
            allowed: fields
                .optional("allowed", list(ITEMS_MAX, |value, place| object(AllowedBody::read)(value, place))),
            flip_sign: fields.optional("flip_sign", boolean),
        })
    }
}

impl ReadBody for FeeRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            percent: fields.optional("percent", text(0..=CHARS_MAX)),
            per_item: fields.optional("per_item", text(0..=CHARS_MAX)),
        })
    }
}

impl ReadBody for AllowedBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(1..=CHARS_MAX));
        let absolute = fields.optional("absolute", text(0..=CHARS_MAX));
        let percent = fields.optional("percent", text(0..=CHARS_MAX));
        let side = fields.optional("side", choice);
        Some(Self { name: name?, absolute, percent, side })
    }
}
