//! Sums that have to be looked for.

use serde::{Deserialize, Serialize};

/// Looks for the records that add up to a single one, among those of its key or those with a like text inside the
/// window; in a pass `n:m` for the fewest records of both sides that have the same sum.
///
/// A match is made only where exactly one choice of two or more records gives the sum, where chance alone
/// would not have given one, and where no other record wants any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SearchRule {
    /// Records in reach of one search, 2 to 20; where there are more, it gives up.
    #[serde(default = "default_search_records_max")]
    #[cfg_attr(feature = "schema", schemars(range(min = 2, max = 20)))]
    pub records_max: u32,
}

fn default_search_records_max() -> u32 {
    16
}

impl Default for SearchRule {
    fn default() -> Self {
        SearchRule { records_max: default_search_records_max() }
    }
}
