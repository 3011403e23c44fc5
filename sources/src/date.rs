//! Reading dates into days since 1970-01-01.

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};
use std::fmt::Write;

/// Bookings outside these years are misread dates (`26` for 2026, swapped columns), not history.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// How the dates of a file are written.
#[derive(Debug)]
pub(crate) enum DateFormat {
    /// `2026-01-31`, alone or with a time behind it.
    Iso,
    /// strftime items that give a whole date.
    Custom { items: Vec<Item<'static>>, text: String },
}

impl DateFormat {
    /// `None` is [`DateFormat::Iso`]. An error says in words what is wrong with the format.
    pub fn parse(format: Option<&str>) -> Result<Self, String> {
        let Some(text) = format else { return Ok(DateFormat::Iso) };
        let items: Vec<_> = StrftimeItems::new(text).map(Item::to_owned).collect();
        if items.contains(&Item::Error) {
            return Err(format!("{text:?} has a part that is not a date format"));
        }
        let format = DateFormat::Custom { items, text: text.to_owned() };
        // A format gives a whole date when a date written by it reads back as the same date.
        let probe = DateTime::parse_from_rfc3339("2026-11-23T14:05:06+00:00").expect("a valid instant");
        let DateFormat::Custom { items, .. } = &format else { unreachable!("made above") };
        let mut written = String::new();
        let formatted = write!(written, "{}", probe.format_with_items(items.iter()));
        match formatted.ok().and_then(|()| format.read(&written).ok()) {
            Some(days) if days == days_of(probe.date_naive()) => Ok(format),
            _ => Err(format!("{text:?} does not give a whole date with year, month and day")),
        }
    }

    /// Days since 1970-01-01; an error says in words why the text is not a date.
    pub fn read(&self, text: &str) -> Result<i32, String> {
        if text.is_empty() {
            return Err("the date is empty".to_owned());
        }
        let date = match self {
            DateFormat::Iso => read_iso(text),
            DateFormat::Custom { items, .. } => {
                let mut parsed = Parsed::new();
                parse(&mut parsed, text, items.iter()).ok().and_then(|()| parsed.to_naive_date().ok())
            }
        };
        let shown = || text.chars().take(40).collect::<String>();
        let date = date.ok_or_else(|| match self {
            DateFormat::Iso => format!("{:?} is not a date like 2026-01-31", shown()),
            DateFormat::Custom { text, .. } => format!("{:?} is not a date like {text}", shown()),
        })?;
        if !YEARS.contains(&date.year()) {
            return Err(format!("{:?} is outside the years {} to {}", shown(), YEARS.start(), YEARS.end()));
        }
        Ok(days_of(date))
    }
}

fn days_of(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// The date as it is written: an offset behind it does not move it to another day.
fn read_iso(text: &str) -> Option<NaiveDate> {
    let (day, rest) = text.split_at_checked(10)?;
    let bytes = day.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        bytes[range].iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
    };
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(digits(0..4)?.cast_signed(), digits(5..7)?, digits(8..10)?)?;
    let is_time = |time: &str| NaiveTime::parse_from_str(time, "%H:%M:%S%.f").is_ok();
    let with_time = match rest.as_bytes().first() {
        None => true,
        Some(b'T' | b't' | b' ') => is_time(&rest[1..]) || DateTime::parse_from_rfc3339(text).is_ok(),
        Some(_) => false,
    };
    with_time.then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Option<&str>, text: &str) -> Option<String> {
        let days = DateFormat::parse(format).expect("a good format").read(text).ok()?;
        NaiveDate::from_epoch_days(days).map(|d| d.to_string())
    }

    #[test]
    fn dates_are_read_as_written() {
        for (format, text, date) in [
            (None, "2026-01-31", "2026-01-31"),
            (None, "2026-01-31T23:59:59Z", "2026-01-31"),
            (None, "2026-01-31T23:59:59.123+02:00", "2026-01-31"),
            (None, "2026-01-31T00:10:00+05:00", "2026-01-31"),
            (None, "2026-01-31 23:59:59", "2026-01-31"),
            (None, "2024-02-29", "2024-02-29"),
            (Some("%d.%m.%Y"), "31.01.2026", "2026-01-31"),
            (Some("%d.%m.%y"), "31.01.26", "2026-01-31"),
            (Some("%m/%d/%Y"), "1/31/2026", "2026-01-31"),
            (Some("%Y%m%d"), "20260131", "2026-01-31"),
            (Some("%d %b %Y"), "31 Jan 2026", "2026-01-31"),
            (Some("%d.%m.%Y %H:%M"), "31.01.2026 12:30", "2026-01-31"),
            (Some("%Y-%m-%dT%H:%M:%S%z"), "2026-01-31T12:30:00+0100", "2026-01-31"),
        ] {
            assert_eq!(read(format, text).as_deref(), Some(date), "{format:?} {text}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for (format, text) in [
            (None, ""),
            (None, "2026-1-31"),
            (None, "2026-02-30"),
            (None, "31.01.2026"),
            (None, "2026-01-31x"),
            (None, "2026-01-31T"),
            (None, "2026-01-31T25:00:00Z"),
            (None, "0026-01-31"),
            (None, "２０２６-01-31"),
            (None, "2026/01/31"),
            (Some("%d.%m.%Y"), "31.01.26"),
            (Some("%d.%m.%Y"), "31.13.2026"),
            (Some("%d.%m.%Y"), "31.01.2026 10:00"),
            (Some("%d.%m.%Y"), "+99999999999999999999"),
        ] {
            assert_eq!(read(format, text), None, "{format:?} {text}");
        }
    }

    #[test]
    fn a_format_must_give_a_whole_date() {
        for format in ["", "%d.%m.", "%Q", "%H:%M", "%", "2026", "%Y-%m"] {
            assert!(DateFormat::parse(Some(format)).is_err(), "{format:?}");
        }
    }
}
