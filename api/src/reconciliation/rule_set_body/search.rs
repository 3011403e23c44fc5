//! Sums without a key.

use crate::read::{Fields, ReadBody, integer};
use serde::Serialize;
use utoipa::ToSchema;

/// Only in a pass of sums without keys, and needed there: looks for the only choice of records that adds up.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchRuleBody {
    /// Records among which one search may choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 2, maximum = 20)]
    records_max: Option<u32>,
}

impl ReadBody for SearchRuleBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { records_max: fields.optional("records_max", integer(2..=20)) })
    }
}
