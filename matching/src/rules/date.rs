//! How far dates may be apart.

use serde::{Deserialize, Serialize};

/// How far the dates may be apart; right minus left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateRule {
    /// Calendar days, 0 to 3660. `None` in a keyed pass: any distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_days: Option<u32>,
    #[serde(default)]
    pub direction: DateDirection,
}

impl Default for DateRule {
    fn default() -> Self {
        DateRule { window_days: None, direction: DateDirection::Either }
    }
}

/// Which side may be later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateDirection {
    #[default]
    Either,
    RightLater,
    LeftLater,
}
