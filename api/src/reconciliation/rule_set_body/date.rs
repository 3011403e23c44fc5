//! How far dates may be apart.

use super::CHARS_MAX;
use crate::read::{Fields, ReadBody, choice, integer, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far the dates may be apart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DateRuleBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 3660)]
    window_days: Option<u32>,
    /// In place of it: business days of the calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 2600)]
    window_business_days: Option<u32>,
    /// `weekends`, `target2`, `us_federal_reserve`, `uk`, or one of the rule set's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    calendar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    direction: Option<DirectionWord>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DirectionWord {
    Either,
    RightLater,
    LeftLater,
}

impl ReadBody for DateRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            window_days: fields.optional("window_days", integer(0..=3660)),
            window_business_days: fields.optional("window_business_days", integer(0..=2600)),
            calendar: fields.optional("calendar", text(1..=CHARS_MAX)),
            direction: fields.optional("direction", choice),
        })
    }
}
