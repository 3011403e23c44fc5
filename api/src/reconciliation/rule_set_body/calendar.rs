//! A calendar of one's own.

use super::{CHARS_MAX, HOLIDAYS_MAX};
use crate::read::{Fields, ReadBody, choice, list, text};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Days on which nothing is booked: a weekend, Saturday and Sunday unless said otherwise, and holidays, its own and those
/// of the known calendar that it extends.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Calendar)]
pub(super) struct CalendarBody {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false)]
    extends: Option<KnownCalendarWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline, nullable = false, max_items = 6)]
    weekend: Option<Vec<WeekdayWord>>,
    /// Such as "2026-12-24".
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 5000)]
    holidays: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KnownCalendarWord {
    Weekends,
    Target2,
    UsFederalReserve,
    Uk,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WeekdayWord {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl ReadBody for CalendarBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text(1..=CHARS_MAX));
        let extends = fields.optional("extends", choice);
        let weekend = fields.optional("weekend", list(7, choice));
        let holidays =
            fields.optional("holidays", list(HOLIDAYS_MAX, |value, place| text(0..=CHARS_MAX)(value, place)));
        Some(Self { name: name?, extends, weekend, holidays })
    }
}
