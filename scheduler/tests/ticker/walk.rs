//! What should come due, found without any of the product's arithmetic: by walking along UTC in quarters of an hour and
//! looking at the clock on the wall.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use std::collections::BTreeSet;

/// An expression and, by hand, whether it names what a clock shows.
pub struct Case {
    pub cron: &'static str,
    /// Skipped times come due at the shift, and repeated ones once.
    pub names_times: bool,
    pub shows: fn(NaiveDateTime) -> bool,
}

pub const CASES: [Case; 3] = [
    Case { cron: "30 2 * * *", names_times: true, shows: |t| t.hour() == 2 && t.minute() == 30 },
    Case {
        cron: "0 0 * * FRI-SUN",
        names_times: true,
        shows: |t| {
            t.hour() == 0
                && t.minute() == 0
                && matches!(t.weekday(), Weekday::Fri | Weekday::Sat | Weekday::Sun)
        },
    },
    Case {
        cron: "*/30 0-3 * * SUN",
        names_times: false,
        shows: |t| t.hour() <= 3 && t.minute() % 30 == 0 && t.weekday() == Weekday::Sun,
    },
];

const STEP: TimeDelta = TimeDelta::minutes(15);

/// Due times in (`from`, `to`].
pub fn due_times(case: &Case, zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
    let mut due = BTreeSet::new();
    let mut furthest = zone.from_utc_datetime(&from.naive_utc()).naive_local();
    let mut at = from + STEP;
    while at <= to {
        let shown = zone.from_utc_datetime(&at.naive_utc()).naive_local();
        if case.names_times {
            // Whatever the clock reaches or jumps over for the first time.
            while furthest < shown {
                furthest += STEP;
                if (case.shows)(furthest) {
                    due.insert(at);
                }
            }
        } else if (case.shows)(shown) {
            due.insert(at);
        }
        at += STEP;
    }
    due
}
