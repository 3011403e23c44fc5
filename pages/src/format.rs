//! Numbers, money and times as the visitor writes them.

mod numbers;

use crate::html::{Html, escape};
use crate::session;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use numbers::{ENGLISH, Numbers};

/// A value, however often templates have borrowed it.
pub(crate) trait Plain<T> {
    fn plain(self) -> T;
}

impl<T: Copy> Plain<T> for T {
    fn plain(self) -> T {
        self
    }
}

impl<T: Copy> Plain<T> for &T {
    fn plain(self) -> T {
        *self
    }
}

impl<T: Copy> Plain<T> for &&T {
    fn plain(self) -> T {
        **self
    }
}

impl<T: Copy> Plain<T> for &&&T {
    fn plain(self) -> T {
        ***self
    }
}

/// What the visitor's browser and cookies say about them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preferences {
    pub theme: Theme,
    /// `None` as long as no script has told: then times are in UTC and say so.
    pub zone: Option<Tz>,
    numbers: Numbers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    pub fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Theme::System, Theme::Light, Theme::Dark].into_iter().find(|theme| theme.as_str() == name)
    }
}

impl Preferences {
    pub fn of(headers: &HeaderMap) -> Self {
        let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let zone = session::cookie(headers, "zone").map(|name| name.replace("%2F", "/"));
        Self {
            theme: session::cookie(headers, "theme").and_then(Theme::by_name).unwrap_or(Theme::System),
            zone: zone.and_then(|name| name.parse().ok()),
            numbers: languages.map_or(ENGLISH, Numbers::of_languages),
        }
    }

    pub fn number(&self, n: impl Plain<i64>) -> String {
        self.numbers.write(&n.plain().to_string())
    }

    pub fn money(&self, decimal: &str) -> String {
        self.numbers.write(decimal)
    }

    /// `12.3 MB`.
    pub fn bytes(&self, bytes: impl Plain<i64>) -> String {
        self.numbers.write_bytes(bytes.plain())
    }

    /// What a field of a form for date and time says (`2026-01-31T08:00`), on the visitor's clock; `None`: it is none.
    /// Of an hour that there is twice the first one is meant, and one that the clock skips is no time.
    pub fn instant(&self, local: &str) -> Option<DateTime<Utc>> {
        let read = |pattern| NaiveDateTime::parse_from_str(local, pattern).ok();
        let local = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S"))?;
        let at = self.zone.unwrap_or(Tz::UTC).from_local_datetime(&local).earliest()?;
        Some(at.to_utc())
    }

    /// `12.3 %`, of a share between 0 and 1.
    pub fn percent(&self, share: impl Plain<f64>, decimals: usize) -> String {
        format!("{} %", self.numbers.write(&format!("{:.decimals$}", share.plain() * 100.0)))
    }

    /// To the minute, with the exact value in the title.
    pub fn time(&self, at: DateTime<Utc>) -> Html {
        self.time_as(at, "%Y-%m-%d %H:%M")
    }

    /// To the second: for what happens quickly.
    pub fn exact_time(&self, at: DateTime<Utc>) -> Html {
        self.time_as(at, "%Y-%m-%d %H:%M:%S")
    }

    /// To the minute, as text: for titles.
    pub fn plain_time(&self, at: DateTime<Utc>) -> String {
        match self.zone {
            Some(zone) => at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
            None => format!("{} UTC", at.format("%Y-%m-%d %H:%M")),
        }
    }

    fn time_as(&self, at: DateTime<Utc>, pattern: &str) -> Html {
        let exact = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (text, title) = match self.zone {
            Some(zone) => {
                let local = at.with_timezone(&zone);
                (
                    local.format(pattern).to_string(),
                    format!("{} · {exact}", local.format("%Y-%m-%d %H:%M:%S%.3f %Z")),
                )
            }
            None => (format!("{} UTC", at.format(pattern)), exact.clone()),
        };
        Html(format!("<time datetime=\"{exact}\" title=\"{}\">{text}</time>", escape(&title)))
    }
}

/// The last digits of an id: those that differ.
pub(crate) fn short_id(id: impl AsRef<str>) -> String {
    let id = id.as_ref();
    id.get(id.len().saturating_sub(8)..).unwrap_or(id).to_owned()
}

/// At most so many characters, an ellipsis among them.
pub(crate) fn shorten(text: impl AsRef<str>, chars_max: impl Plain<usize>) -> String {
    let (text, chars_max) = (text.as_ref(), chars_max.plain());
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// `2026-03-29T03:00:00+02:00` as `2026-03-29 03:00 +02:00`.
pub(crate) fn local_of(local: impl AsRef<str>) -> String {
    let local = local.as_ref();
    match (local.get(..10), local.get(11..16), local.get(19..)) {
        (Some(day), Some(time), Some(offset)) => format!("{day} {time} {offset}"),
        _ => local.to_owned(),
    }
}

/// A share as the width of a bar that is 100 wide.
pub(crate) fn per_cent_of(share: impl Plain<f64>) -> String {
    let share = share.plain();
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    format!("{:.1}", share * 100.0)
}

/// `850 ms`, `12.3 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`.
pub(crate) fn duration(elapsed: TimeDelta) -> String {
    let ms = elapsed.num_milliseconds().max(0);
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", s, ms % 1000 / 100),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_the_zone_of_the_visitor_and_exact_in_the_title() {
        let at = "2026-07-01T22:30:15.250Z".parse().unwrap();
        let utc = Preferences { theme: Theme::System, zone: None, numbers: ENGLISH };
        assert!(utc.time(at).0.contains(">2026-07-01 22:30 UTC<"));
        let berlin = Preferences { zone: Some(chrono_tz::Europe::Berlin), ..utc };
        let written = berlin.exact_time(at).0;
        assert!(
            written.contains(">2026-07-02 00:30:15<")
                && written.contains("datetime=\"2026-07-01T22:30:15.250Z\""),
            "{written}"
        );
    }

    #[test]
    fn fields_for_times_are_read_on_the_clock_of_the_visitor() {
        let zone = Some(chrono_tz::Europe::Berlin);
        let berlin = Preferences { theme: Theme::System, zone, numbers: ENGLISH };
        let read = |local: &str| berlin.instant(local).map(|at| at.to_rfc3339());
        assert_eq!(read("2026-01-31T08:00").as_deref(), Some("2026-01-31T07:00:00+00:00"));
        assert_eq!(
            read("2026-10-25T02:30:15").as_deref(),
            Some("2026-10-25T00:30:15+00:00"),
            "twice: the first"
        );
        assert_eq!(read("2026-03-29T02:30"), None, "skipped");
        assert_eq!((read("tomorrow"), read("")), (None, None));
        let nowhere = Preferences { zone: None, ..berlin };
        assert_eq!(nowhere.instant("2026-01-31T08:00"), "2026-01-31T08:00:00Z".parse().ok());
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ms, says) in [
            (-5, "0 ms"),
            (850, "850 ms"),
            (12_340, "12.3 s"),
            (250_000, "4 min 10 s"),
            (11_100_000, "3 h 5 min"),
            (187_200_000, "2 d 4 h"),
        ] {
            assert_eq!(duration(TimeDelta::milliseconds(ms)), says);
        }
    }
}
