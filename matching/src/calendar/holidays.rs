//! Holidays that follow rules, worked out year by year.
//!
//! Sources: the Eurosystem's long-term calendar for TARGET closing days (press release of 14 December 2000, since
//! 2002); the Federal Reserve's holiday schedule; the Banking and Financial Dealings Act 1971 with the
//! proclamations up to 2023, as listed on gov.uk/bank-holidays for England and Wales.

use crate::KnownCalendar;
use crate::day::{day_of, weekday_of};

const MONDAY: i32 = 0;
const THURSDAY: i32 = 3;
const SATURDAY: i32 = 5;
const SUNDAY: i32 = 6;

/// The holidays that belong to a year, in no order; some fall on weekends. An observance may lie in the year
/// before or after.
pub(super) fn of_year(calendar: KnownCalendar, year: i32) -> Vec<i32> {
    match calendar {
        KnownCalendar::Weekends => vec![],
        KnownCalendar::Target2 => target2(year),
        KnownCalendar::UsFederalReserve => us_federal_reserve(year),
        KnownCalendar::Uk => uk(year),
    }
}

fn target2(year: i32) -> Vec<i32> {
    let easter = easter_sunday(year);
    vec![
        day_of(year, 1, 1),
        easter - 2,
        easter + 1,
        day_of(year, 5, 1),
        day_of(year, 12, 25),
        day_of(year, 12, 26),
    ]
}

/// A holiday on a Sunday is observed on Monday; one on a Saturday not at all: the banks are open that Friday.
fn us_federal_reserve(year: i32) -> Vec<i32> {
    let mut fixed = vec![(1, 1), (7, 4), (11, 11), (12, 25)];
    if year >= 2022 {
        fixed.push((6, 19));
    }
    let observed = |(month, day): (u32, i32)| {
        let day = day_of(year, month, day);
        if weekday_of(day) == SUNDAY { day + 1 } else { day }
    };
    let mut days: Vec<i32> = fixed.into_iter().map(observed).collect();
    if year >= 1986 {
        days.push(nth_weekday(year, 1, MONDAY, 3));
    }
    days.extend([
        nth_weekday(year, 2, MONDAY, 3),
        last_monday(year, 5),
        nth_weekday(year, 9, MONDAY, 1),
        nth_weekday(year, 10, MONDAY, 2),
        nth_weekday(year, 11, THURSDAY, 4),
    ]);
    days
}

/// England and Wales. New Year's Day, Christmas Day and Boxing Day move to the next working day when they fall on a
/// weekend. The rules are those since 1978 for all years.
fn uk(year: i32) -> Vec<i32> {
    let easter = easter_sunday(year);
    let new_year = day_of(year, 1, 1);
    let new_year = match weekday_of(new_year) {
        SATURDAY => new_year + 2,
        SUNDAY => new_year + 1,
        _ => new_year,
    };
    let christmas = day_of(year, 12, 25);
    let (christmas, boxing) = match weekday_of(christmas) {
        // Boxing Day on Saturday moves to Monday.
        4 => (christmas, christmas + 3),
        SATURDAY => (christmas + 2, christmas + 3),
        SUNDAY => (christmas + 2, christmas + 1),
        _ => (christmas, christmas + 1),
    };
    // Twice for Victory in Europe.
    let early_may = match year {
        1995 | 2020 => day_of(year, 5, 8),
        _ => nth_weekday(year, 5, MONDAY, 1),
    };
    // Moved for jubilees of the Queen.
    let spring = match year {
        2002 | 2012 => day_of(year, 6, 4),
        2022 => day_of(year, 6, 2),
        _ => last_monday(year, 5),
    };
    let mut days =
        vec![new_year, easter - 2, easter + 1, early_may, spring, last_monday(year, 8), christmas, boxing];
    // Proclaimed for one year: millennium, jubilees, weddings, a funeral, a coronation.
    let once: &[(i32, u32, i32)] = &[
        (1981, 7, 29),
        (1999, 12, 31),
        (2002, 6, 3),
        (2011, 4, 29),
        (2012, 6, 5),
        (2022, 6, 3),
        (2022, 9, 19),
        (2023, 5, 8),
    ];
    days.extend(once.iter().filter(|(y, ..)| *y == year).map(|&(y, m, d)| day_of(y, m, d)));
    days
}

/// By the anonymous Gregorian algorithm (Meeus, "Astronomical Algorithms", chapter 8).
fn easter_sunday(year: i32) -> i32 {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    day_of(year, (n / 31) as u32, n % 31 + 1)
}

/// `weekday`: 0 for Monday; `nth` from 1.
fn nth_weekday(year: i32, month: u32, weekday: i32, nth: i32) -> i32 {
    let first = day_of(year, month, 1);
    first + (weekday - weekday_of(first)).rem_euclid(7) + 7 * (nth - 1)
}

fn last_monday(year: i32, month: u32) -> i32 {
    // May and August have 31 days.
    let last = day_of(year, month, 31);
    last - weekday_of(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::{format, parse};

    fn dates(calendar: KnownCalendar, year: i32) -> Vec<String> {
        let mut days = of_year(calendar, year);
        days.sort_unstable();
        days.into_iter().map(format).collect()
    }

    #[test]
    fn easter_is_when_the_almanac_says() {
        for date in ["1961-04-02", "2000-04-23", "2008-03-23", "2024-03-31", "2026-04-05", "2038-04-25"] {
            let year = date[..4].parse().unwrap();
            assert_eq!(easter_sunday(year), parse(date).unwrap(), "{date}");
        }
    }

    #[test]
    fn target_closes_on_six_days() {
        assert_eq!(
            dates(KnownCalendar::Target2, 2026),
            ["2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25", "2026-12-26"]
        );
    }

    #[test]
    fn the_federal_reserve_is_closed_as_published() {
        assert_eq!(
            dates(KnownCalendar::UsFederalReserve, 2023),
            [
                "2023-01-02",
                "2023-01-16",
                "2023-02-20",
                "2023-05-29",
                "2023-06-19",
                "2023-07-04",
                "2023-09-04",
                "2023-10-09",
                "2023-11-11",
                "2023-11-23",
                "2023-12-25",
            ]
        );
        assert!(dates(KnownCalendar::UsFederalReserve, 2022).contains(&"2022-06-20".to_owned()));
        assert!(!dates(KnownCalendar::UsFederalReserve, 2021).iter().any(|d| d.starts_with("2021-06")));
    }

    #[test]
    fn bank_holidays_are_those_of_the_gazette() {
        for (year, expected) in [
            (2020, "2020-01-01 2020-04-10 2020-04-13 2020-05-08 2020-05-25 2020-08-31 2020-12-25 2020-12-28"),
            (2021, "2021-01-01 2021-04-02 2021-04-05 2021-05-03 2021-05-31 2021-08-30 2021-12-27 2021-12-28"),
            (
                2022,
                "2022-01-03 2022-04-15 2022-04-18 2022-05-02 2022-06-02 2022-06-03 2022-08-29 2022-09-19 \
                 2022-12-26 2022-12-27",
            ),
            (
                2023,
                "2023-01-02 2023-04-07 2023-04-10 2023-05-01 2023-05-08 2023-05-29 2023-08-28 2023-12-25 \
                 2023-12-26",
            ),
            (2026, "2026-01-01 2026-04-03 2026-04-06 2026-05-04 2026-05-25 2026-08-31 2026-12-25 2026-12-28"),
        ] {
            assert_eq!(dates(KnownCalendar::Uk, year).join(" "), expected);
        }
    }
}
