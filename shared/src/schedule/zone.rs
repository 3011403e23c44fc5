//! Time zones by their IANA names, from the tz database that is compiled in (`chrono-tz`).

use chrono_tz::{TZ_VARIANTS, Tz};

/// No zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such time zone{}", .nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
pub struct UnknownZone {
    /// The most similar name, when one is similar at all.
    pub nearest: Option<&'static str>,
}

/// Longer than any name.
const NAME_CHARS_MAX: usize = 64;
/// Similarity (Jaro-Winkler, 0 to 1) below which a suggestion would only confuse; by trying misspellings.
const SIMILAR_MIN: f64 = 0.8;

/// Which tz database is compiled in: year and letter, `2025b`.
pub fn zone_data_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

/// The zone of this name, such as `Europe/Berlin`. Names are case-sensitive, as everywhere.
pub fn zone(name: &str) -> Result<Tz, UnknownZone> {
    name.parse().map_err(|_| UnknownZone { nearest: nearest(name) })
}

fn nearest(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace([' ', '-'], "_");
    let asked = plain(name);
    let similarity = |known: &str| {
        let known = plain(known);
        // People say `Berlin` for Europe/Berlin.
        let city = known.rsplit('/').next().unwrap_or(&known);
        let by_city = if asked.contains('/') { 0.0 } else { strsim::jaro_winkler(&asked, city) };
        strsim::jaro_winkler(&asked, &known).max(by_city)
    };
    let scored = TZ_VARIANTS.iter().map(|zone| (similarity(zone.name()), zone.name()));
    let (score, name) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= SIMILAR_MIN).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_zone_gets_its_nearest_name() {
        for (asked, meant) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("new-york", "America/New_York"),
            ("Australia/Lord_How", "Australia/Lord_Howe"),
            ("utc", "UTC"),
        ] {
            assert_eq!(zone(asked), Err(UnknownZone { nearest: Some(meant) }), "{asked}");
        }
    }

    #[test]
    fn nonsense_gets_no_suggestion() {
        for asked in ["", "42", "zzzzzzzzzzzz", &"x".repeat(10_000), "日本"] {
            assert_eq!(zone(asked), Err(UnknownZone { nearest: None }), "{asked}");
        }
    }

    #[test]
    fn every_zone_is_found_by_its_own_name() {
        for known in TZ_VARIANTS {
            assert_eq!(zone(known.name()), Ok(known));
        }
    }
}
