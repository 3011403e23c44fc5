use super::*;
use chrono::{Datelike, Timelike, Weekday};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn timing(expression: &str, zone: &str) -> Timing {
    Timing::parse(expression, zone).unwrap_or_else(|error| panic!("{expression} {zone}: {error}"))
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Local times of the occurrences within `hours` of `from`.
fn shown(expression: &str, zone: &str, from: &str, hours: i64) -> Vec<String> {
    let timing = timing(expression, zone);
    let from = utc(from);
    timing
        .after(from)
        .take_while(|at| *at <= from + TimeDelta::hours(hours))
        .map(|at| at.with_timezone(&timing.zone).format("%dT%H:%M%:z").to_string())
        .collect()
}

#[test]
fn a_skipped_time_comes_due_once_at_the_shift() {
    let berlin = |expression| shown(expression, "Europe/Berlin", "2026-03-28T12:00:00Z", 24);
    assert_eq!(berlin("30 2 * * *"), ["29T03:00+02:00"]);
    assert_eq!(berlin("0 2,14 * * *"), ["28T14:00+01:00", "29T03:00+02:00", "29T14:00+02:00"]);
    // Both at the shift: once.
    assert_eq!(berlin("0,30 2,3 * * *"), ["29T03:00+02:00", "29T03:30+02:00"]);
    // The hour before the gap is no reason to run after it.
    assert_eq!(berlin("0 1 * * *"), ["29T01:00+01:00"]);
    let lord_howe = shown("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 24);
    assert_eq!(lord_howe, ["04T02:30+11:00"], "a gap of half an hour");
    let santiago = shown("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 24);
    assert_eq!(santiago, ["06T01:00-03:00"], "midnight does not exist");
    let troll = shown("30 2 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z", 24);
    assert_eq!(troll, ["29T03:00+02:00"], "a gap of two hours");
    // A whole day skipped: the zone moved across the date line.
    let apia = shown("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 48);
    assert_eq!(apia, ["29T12:00-10:00", "31T00:00+14:00", "31T12:00+14:00"]);
}

#[test]
fn a_repeated_time_comes_due_the_first_time_only() {
    let berlin = |expression| shown(expression, "Europe/Berlin", "2026-10-24T12:00:00Z", 24);
    assert_eq!(berlin("30 2 * * *"), ["25T02:30+02:00"]);
    assert_eq!(berlin("30 2,3 * * *"), ["25T02:30+02:00", "25T03:30+01:00"]);
    let beirut = shown("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00:00Z", 24);
    assert_eq!(beirut, ["24T23:30+03:00"], "midnight goes back to eleven");
    // Asked within the second half, whose times are all over.
    let within = utc("2026-10-25T01:10:00Z");
    assert_eq!(timing("30 2 * * *", "Europe/Berlin").next_after(within), Some(utc("2026-10-26T01:30:00Z")));
    assert_eq!(timing("30 2 * * *", "Europe/Berlin").last_before(within), Some(utc("2026-10-25T00:30:00Z")));
}

#[test]
fn rhythms_go_on_through_a_shift() {
    let berlin = |from| shown("*/30 * * * *", "Europe/Berlin", from, 3);
    assert_eq!(
        berlin("2026-10-24T23:30:00Z"),
        [
            "25T02:00+02:00",
            "25T02:30+02:00",
            "25T02:00+01:00",
            "25T02:30+01:00",
            "25T03:00+01:00",
            "25T03:30+01:00"
        ]
    );
    assert_eq!(
        berlin("2026-03-28T23:30:00Z"),
        [
            "29T01:00+01:00",
            "29T01:30+01:00",
            "29T03:00+02:00",
            "29T03:30+02:00",
            "29T04:00+02:00",
            "29T04:30+02:00"
        ]
    );
    let hourly = shown("0 * * * *", "Australia/Lord_Howe", "2026-04-04T13:30:00Z", 3);
    assert_eq!(hourly, ["05T01:00+11:00", "05T02:00+10:30", "05T03:00+10:30"]);
    // In an hour that does not exist nothing is shown.
    assert_eq!(shown("*/10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 24), [""; 0]);
}

#[test]
fn sparse_rhythms_find_their_way_over_many_shifts() {
    let new_year = timing("*/30 0 1 1 *", "America/New_York");
    let seen: Vec<_> = new_year.after(utc("2026-01-02T00:00:00Z")).take(2).collect();
    assert_eq!(seen, [utc("2027-01-01T05:00:00Z"), utc("2027-01-01T05:30:00Z")]);
    assert_eq!(new_year.last_before(utc("2026-12-31T00:00:00Z")), Some(utc("2026-01-01T05:30:00Z")));
}

#[test]
fn parts_of_a_second_do_not_repeat_or_skip() {
    let every_second = timing("* * * * * *", "UTC");
    assert_eq!(every_second.next_after(utc("2026-01-01T00:00:00.4Z")), Some(utc("2026-01-01T00:00:01Z")));
    assert_eq!(every_second.last_before(utc("2026-01-01T00:00:00.4Z")), Some(utc("2026-01-01T00:00:00Z")));
    assert_eq!(every_second.last_before(utc("2026-01-01T00:00:00Z")), Some(utc("2025-12-31T23:59:59Z")));
    let daily = timing("0 2 * * *", "UTC");
    assert_eq!(daily.next_after(utc("2026-01-01T01:59:59.9Z")), Some(utc("2026-01-01T02:00:00Z")));
    assert_eq!(daily.next_after(utc("2026-01-01T02:00:00.1Z")), Some(utc("2026-01-02T02:00:00Z")));
    assert_eq!(daily.last_before(utc("2026-01-01T02:00:00.1Z")), Some(utc("2026-01-01T02:00:00Z")));
}

#[test]
fn the_ends_of_time_are_no_trap() {
    for text in ["0 2 * * *", "*/5 * * * *", "0 0 30 2 *"] {
        let timing = timing(text, "Europe/Berlin");
        assert_eq!(timing.next_after(DateTime::<Utc>::MAX_UTC), None);
        timing.next_after(utc("4999-12-31T23:59:59Z"));
        timing.last_before(utc("0002-01-01T00:00:00Z"));
    }
}

/// Zones with every kind of shift: both hemispheres, at midnight, of half an hour, of two, backwards (Casablanca in
/// Ramadan, Dublin by law), on the day before (Nuuk), and none at all.
pub const ZONES: [&str; 16] = [
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/Nuuk",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
];

const STEP: TimeDelta = TimeDelta::minutes(5);

/// Says for a wall clock minute whether an expression names it; written by hand, so that nothing here depends on how
/// expressions are read.
type Names = fn(NaiveDateTime) -> bool;

const NAMED: [(&str, Names); 7] = [
    ("0 0 * * *", |t| t.hour() == 0 && t.minute() == 0),
    ("30 2 * * *", |t| t.hour() == 2 && t.minute() == 30),
    ("15 1,2,23 * * *", |t| matches!(t.hour(), 1 | 2 | 23) && t.minute() == 15),
    ("0,45 0-3 * * *", |t| t.hour() <= 3 && matches!(t.minute(), 0 | 45)),
    ("0 3 * * SUN", |t| t.hour() == 3 && t.minute() == 0 && t.weekday() == Weekday::Sun),
    ("0 3 1 * *", |t| t.hour() == 3 && t.minute() == 0 && t.day() == 1),
    ("55 23 28-31 3,10 *", |t| {
        t.hour() == 23 && t.minute() == 55 && t.day() >= 28 && matches!(t.month(), 3 | 10)
    }),
];

const SHOWN: [(&str, Names); 5] = [
    ("0 * * * *", |t| t.minute() == 0),
    ("*/20 0-3 * * *", |t| t.hour() <= 3 && t.minute() % 20 == 0),
    ("*/10 2 * * *", |t| t.hour() == 2 && t.minute() % 10 == 0),
    ("30 */4 * * *", |t| t.minute() == 30 && t.hour() % 4 == 0),
    ("5 0-6/2 * * 1-5", |t| {
        t.minute() == 5 && matches!(t.hour(), 0 | 2 | 4 | 6) && t.weekday().num_days_from_monday() < 5
    }),
];

/// Walks two years in steps of five minutes, on which all shifts and all these times lie, and looks at the clock on the
/// wall.
#[test]
fn two_years_in_sixteen_zones_agree_with_a_walk_along_the_clock() {
    let (from, to) = (utc("2025-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"));
    for name in ZONES {
        let zone = zone(name).unwrap();
        let mut named: [Vec<DateTime<Utc>>; NAMED.len()] = Default::default();
        let mut shown: [Vec<DateTime<Utc>>; SHOWN.len()] = Default::default();
        let mut furthest = (from - STEP).with_timezone(&zone).naive_local();
        let mut at = from;
        while at <= to {
            let now = zone.from_utc_datetime(&at.naive_utc()).naive_local();
            // Every time that the clock has reached or jumped over for the first time.
            let mut minute = furthest;
            while minute < now {
                minute += STEP;
                for (expected, (_, names)) in named.iter_mut().zip(NAMED) {
                    if names(minute) && expected.last() != Some(&at) {
                        expected.push(at);
                    }
                }
            }
            furthest = furthest.max(now);
            for (expected, (_, names)) in shown.iter_mut().zip(SHOWN) {
                if names(now) {
                    expected.push(at);
                }
            }
            at += STEP;
        }
        let expectations = NAMED.iter().zip(named).chain(SHOWN.iter().zip(shown));
        for ((text, _), expected) in expectations {
            let timing = timing(text, name);
            let seen: Vec<_> = timing.after(from - SECOND).take_while(|at| *at <= to).collect();
            assert_same(&seen, &expected, &format!("{text} in {name}"));
            let mut back: Vec<_> =
                std::iter::successors(timing.last_before(to + SECOND), |at| timing.last_before(*at))
                    .take_while(|at| *at >= from)
                    .collect();
            back.reverse();
            assert_same(&back, &expected, &format!("{text} in {name}, backwards"));
        }
    }
}

fn assert_same(seen: &[DateTime<Utc>], expected: &[DateTime<Utc>], what: &str) {
    assert!(expected.len() > 2, "{what}");
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (seen.iter().collect(), expected.iter().collect());
    let missed: Vec<_> = b.difference(&a).take(5).collect();
    let unexpected: Vec<_> = a.difference(&b).take(5).collect();
    assert!(
        missed.is_empty() && unexpected.is_empty(),
        "{what}: missed {missed:?}, unexpected {unexpected:?}"
    );
    assert_eq!(seen.len(), expected.len(), "{what}: doubled");
}

proptest! {
    /// Wherever one begins, there is nothing between an instant and its next occurrence, and the way back is the
    /// same.
    #[test]
    fn next_and_last_are_each_others_opposite(
        second in 0i64..63_072_000,
        nanos in prop::sample::select(vec![0u32, 1, 999_999_999]),
        zone in prop::sample::select(ZONES.to_vec()),
        text in prop::sample::select(NAMED.iter().chain(&SHOWN).map(|(text, _)| *text).collect::<Vec<_>>()),
    ) {
        let timing = timing(text, zone);
        let at = utc("2025-01-01T00:00:00Z") + TimeDelta::seconds(second) + TimeDelta::nanoseconds(nanos.into());
        let next = timing.next_after(at).unwrap();
        prop_assert!(next > at);
        let last = timing.last_before(next).unwrap();
        prop_assert!(last <= at);
        prop_assert_eq!(timing.next_after(last).unwrap(), next);
    }
}
