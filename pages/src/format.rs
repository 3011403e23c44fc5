//! Numbers, money and times as the visitor writes them.

use crate::html::{Html, escape};
use crate::session;
use axum::http::{HeaderMap, header};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

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
    pub numbers: Numbers,
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

/// How digits are grouped, and what stands before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    group: &'static str,
    mark: &'static str,
    /// After the first three digits from the right: 3, or 2 in India.
    step: usize,
    /// Leading digits that stand alone are not worth a separator (Spanish, Polish, Portuguese).
    group_from: usize,
}

const ENGLISH: Numbers = Numbers { group: ",", mark: ".", step: 3, group_from: 4 };

impl Numbers {
    /// By the first language of `Accept-Language` that we know; the separators are those of the Unicode locale data.
    fn of_languages(accepted: &str) -> Self {
        let languages = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        languages.filter(|tag| !tag.is_empty()).find_map(Self::of_language).unwrap_or(ENGLISH)
    }

    fn of_language(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase();
        let (language, region) = tag.split_once('-').unwrap_or((&tag, ""));
        let new = |group, mark| Numbers { group, mark, ..ENGLISH };
        Some(match (language, region) {
            ("en" | "hi", "in") | ("hi", _) => Numbers { step: 2, ..ENGLISH },
            ("de" | "it" | "fr", "ch") | ("de", "li") | ("rm" | "gsw", _) => new("’", "."),
            ("de", "at") => new("\u{a0}", ","),
            ("es", "mx" | "us" | "gt" | "hn" | "ni" | "sv" | "pa" | "pe" | "pr" | "do") => ENGLISH,
            ("es", _) | ("pt", "pt") => Numbers {
                group: if language == "es" { "." } else { "\u{a0}" },
                mark: ",",
                step: 3,
                group_from: 5,
            },
            ("pl", _) => Numbers { group_from: 5, ..new("\u{a0}", ",") },
            ("fr", _) => new("\u{202f}", ","),
            (
                "de" | "it" | "nl" | "pt" | "da" | "id" | "tr" | "el" | "ro" | "hr" | "sl" | "sr" | "vi"
                | "is",
                _,
            ) => new(".", ","),
            (
                "sv" | "nb" | "nn" | "no" | "fi" | "cs" | "sk" | "hu" | "ru" | "uk" | "bg" | "lt" | "lv"
                | "et" | "be",
                _,
            ) => new("\u{a0}", ","),
            ("en" | "ja" | "zh" | "ko" | "th" | "he" | "ar", _) => ENGLISH,
            _ => return None,
        })
    }

    /// A decimal as the API writes it (`-1234.50`); what is no decimal stays as it is.
    fn write(self, decimal: &str) -> String {
        let (sign, rest) = match decimal.strip_prefix('-') {
            Some(rest) => ("−", rest),
            None => ("", decimal),
        };
        let (whole, decimals) = match rest.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (rest, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || decimals.is_some_and(|decimals| !digits(decimals)) {
            return decimal.to_owned();
        }
        let mut written = sign.to_owned();
        for (i, digit) in whole.chars().enumerate() {
            let left = whole.len() - i;
            let is_border = left == 3 || (left > 3 && (left - 3) % self.step == 0);
            if i > 0 && is_border && whole.len() >= self.group_from {
                written.push_str(self.group);
            }
            written.push(digit);
        }
        if let Some(decimals) = decimals {
            written.push_str(self.mark);
            written.push_str(decimals);
        }
        written
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
    fn numbers_follow_the_language() {
        let write = |languages: &str, decimal: &str| Numbers::of_languages(languages).write(decimal);
        assert_eq!(write("en-GB,en;q=0.9", "1234567.80"), "1,234,567.80");
        assert_eq!(write("de-DE", "-1234.50"), "−1.234,50");
        assert_eq!(write("de-CH", "1234567.80"), "1’234’567.80");
        assert_eq!(write("fr", "1234"), "1\u{202f}234");
        assert_eq!(write("es-ES", "1234.5"), "1234,5");
        assert_eq!(write("es-ES", "12345.5"), "12.345,5");
        assert_eq!(write("en-IN", "123456789"), "12,34,56,789");
        assert_eq!(write("xx, sv;q=0.8", "1000"), "1\u{a0}000");
        assert_eq!(write("", "0.00"), "0.00");
        for strange in ["", "-", "1.", ".5", "1e5", "NaN", "1.2.3"] {
            assert_eq!(write("de", strange), strange);
        }
    }

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
