//! A calendar of one's own.

use serde::{Deserialize, Serialize};

/// Days on which nothing is booked: a weekend of every week, and single holidays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CalendarRule {
    /// What `date.calendar` calls it; none of the names that are known already.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub name: String,
    /// A known calendar whose weekend and holidays it has too: `target2` and the holidays of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<KnownCalendar>,
    /// At most six days; Saturday and Sunday unless said otherwise, or those of the calendar it extends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 6)))]
    pub weekend: Option<Vec<Weekday>>,
    /// Days such as "2026-12-24", years 1900 to 2199, at most 5,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 5000)))]
    pub holidays: Vec<String>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Calendars whose holidays are computed; see [`crate::calendar`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KnownCalendar {
    /// Saturday and Sunday, no holidays.
    Weekends,
    /// The Eurosystem's T2, formerly TARGET2.
    Target2,
    /// The Federal Reserve Banks of the United States.
    UsFederalReserve,
    /// Bank holidays of England and Wales.
    Uk,
}

impl KnownCalendar {
    pub const ALL: [KnownCalendar; 4] = [Self::Weekends, Self::Target2, Self::UsFederalReserve, Self::Uk];

    /// As rule sets write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weekends => "weekends",
            Self::Target2 => "target2",
            Self::UsFederalReserve => "us_federal_reserve",
            Self::Uk => "uk",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}
