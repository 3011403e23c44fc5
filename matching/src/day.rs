//! Days as numbers: since 1970-01-01, in the Gregorian calendar extended to all years.

/// The day's number. `month` 1 to 12; a `day` outside its month counts on into its neighbours.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
pub(crate) fn day_of(year: i32, month: u32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month as i32 + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719_468
}

/// Year, month, day of month. The inverse of [`day_of`], `civil_from_days` of the same source. Exact for every
/// `i32`.
pub(crate) fn civil_of(day: i32) -> (i32, u32, u32) {
    let shifted = i64::from(day) + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// 0 for Monday to 6 for Sunday.
pub(crate) fn weekday_of(day: i32) -> i32 {
    // 1970-01-01 was a Thursday.
    (i64::from(day) + 3).rem_euclid(7) as i32
}

/// Reads `2026-01-31`, years 1900 to 2199. The error is a plain sentence.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    let wrong = || {
        let short: String = text.chars().take(40).collect();
        format!("{short:?} is not a day such as \"2026-01-31\", years 1900 to 2199")
    };
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return Err(wrong());
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i32>().ok())?
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return Err(wrong());
    };
    let is_month = (1..=12).contains(&month);
    let number = if is_month { day_of(year, month as u32, day) } else { 0 };
    let is_day = is_month && civil_of(number) == (year, month as u32, day as u32);
    if is_day && (1900..2200).contains(&year) { Ok(number) } else { Err(wrong()) }
}

/// `2026-01-31`.
pub(crate) fn format(day: i32) -> String {
    let (year, month, day) = civil_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for (day, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (20_454, (2026, 1, 1)),
            (-25_508, (1900, 3, 1)),
        ] {
            assert_eq!(civil_of(day), date);
            assert_eq!(day_of(date.0, date.1, date.2 as i32), day);
        }
        for day in (-200_000..200_000).step_by(37) {
            let (y, m, d) = civil_of(day);
            assert_eq!(day_of(y, m, d as i32), day);
        }
        civil_of(i32::MIN);
        civil_of(i32::MAX);
        assert_eq!(weekday_of(20_454), 3, "2026 began on a Thursday");
    }

    #[test]
    fn only_days_that_exist_are_read() {
        assert_eq!(parse("2026-01-31").map(format), Ok("2026-01-31".into()));
        assert_eq!(parse("2024-02-29").map(format), Ok("2024-02-29".into()));
        for text in ["", "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-31", "1899-12-31", "2200-01-01"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["2026-01-3é", "２026-01-1", "+026-01-31", "2026-01-00", "2026/01/31"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
