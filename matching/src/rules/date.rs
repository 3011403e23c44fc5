//! How far dates may be apart.

use serde::{Deserialize, Serialize};

/// How far the dates may be apart; right minus left. Calendar days or business days, never both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DateRule {
    /// Calendar days, 0 to 3660. With neither window, in a keyed pass: any distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 3660)))]
    pub window_days: Option<u32>,
    /// Business days of `calendar`, 0 to 2600. A record on a day that is none counts as one of the next business
    /// day: from Friday to Saturday, Sunday or Monday it is one day, from Saturday to Monday none. A direction looks
    /// at the same business days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 2600)))]
    pub window_business_days: Option<u32>,
    /// `weekends`, `target2`, `us_federal_reserve`, `uk`, or the name of one of the rule set's own. Without it
    /// `weekends`: Saturday and Sunday only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub calendar: Option<String>,
    #[serde(default)]
    pub direction: DateDirection,
}

/// Which side may be later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DateDirection {
    #[default]
    Either,
    RightLater,
    LeftLater,
}
