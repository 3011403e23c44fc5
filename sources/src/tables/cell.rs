//! One typed cell as text.

use chrono::{DateTime, SecondsFormat};
use std::borrow::Cow;

#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub text: String,
    /// The text is a number with a decimal point, whatever the texts of the file use.
    pub number: bool,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Cell { text: text.into(), number: false }
    }

    pub fn number(text: impl Into<String>) -> Self {
        Cell { text: text.into(), number: true }
    }

    /// What a spreadsheet shows: 15 digits, so that a sum which is stored as 0.30000000000000004 is 0.3 again.
    pub fn float(value: f64) -> Self {
        let rounded = format!("{value:.14e}").parse().unwrap_or(value);
        Cell::number(format!("{rounded}"))
    }

    /// UTC, the date alone when it is midnight.
    pub fn instant(seconds: i64, nanos: u32) -> Self {
        let Some(instant) = DateTime::from_timestamp(seconds, nanos) else { return Cell::text("") };
        if seconds.rem_euclid(86_400) == 0 && nanos == 0 {
            return Cell::text(instant.date_naive().to_string());
        }
        Cell::text(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    /// With the decimal mark that the mapping says.
    pub fn marked(&self, comma: bool) -> Cow<'_, str> {
        if self.number && comma { Cow::Owned(self.text.replace('.', ",")) } else { Cow::Borrowed(&self.text) }
    }
}
