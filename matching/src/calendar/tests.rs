use super::*;
use crate::day::civil_of;
use proptest::prelude::*;

fn calendar(name: &str) -> Calendar {
    let own = CalendarRule {
        name: "own".into(),
        extends: Some(KnownCalendar::Target2),
        weekend: Some(vec![Weekday::Friday, Weekday::Saturday]),
        holidays: vec!["2026-12-24".into(), "2026-12-31".into()],
    };
    let rules = RuleSet { calendars: vec![own], ..RuleSet::standard() };
    Calendar::named(Some(name), &rules).unwrap()
}

fn between(name: &str, from: &str, to: &str) -> i64 {
    let (from, to) = (parse(from).unwrap(), parse(to).unwrap());
    calendar(name).table(from.min(to), from.max(to)).between(from, to)
}

#[test]
fn weekends_and_holidays_take_no_time() {
    for (name, from, to, days) in [
        // 2026-01-02 was a Friday.
        ("weekends", "2026-01-02", "2026-01-02", 0),
        ("weekends", "2026-01-02", "2026-01-03", 1),
        ("weekends", "2026-01-02", "2026-01-05", 1),
        ("weekends", "2026-01-03", "2026-01-05", 0),
        ("weekends", "2026-01-03", "2026-01-04", 0),
        ("weekends", "2026-01-05", "2026-01-02", -1),
        ("weekends", "2026-01-02", "2026-01-12", 6),
        // From Maundy Thursday over Good Friday and Easter Monday.
        ("target2", "2026-04-02", "2026-04-07", 1),
        ("uk", "2026-04-02", "2026-04-07", 1),
        ("us_federal_reserve", "2026-04-02", "2026-04-07", 3),
        ("target2", "2025-12-24", "2026-01-02", 4),
        // Christmas Eve is a holiday of its own here, the weekend is Friday and Saturday.
        ("own", "2026-12-23", "2026-12-27", 1),
        ("own", "2026-12-30", "2027-01-03", 1),
    ] {
        assert_eq!(between(name, from, to), days, "{name}: {from} to {to}");
    }
}

#[test]
fn mistakes_of_a_calendar_are_all_named() {
    let rule = CalendarRule {
        name: "never".into(),
        extends: None,
        weekend: Some(vec![
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
            Weekday::Sunday,
        ]),
        holidays: vec!["2026-12-24".into(), "24.12.2026".into()],
    };
    let fields: Vec<String> = Calendar::compile(&rule).unwrap_err().into_iter().map(|e| e.0).collect();
    assert_eq!(fields, ["weekend", "holidays[1]"]);
}

/// Walks from day to day.
fn counted(calendar: &Calendar, from: i32, to: i32) -> i64 {
    let is_open = |day: i32| {
        let year = civil_of(day).0;
        let is_holiday = YEARS.contains(&year)
            && (calendar.holidays.contains(&day)
                || (year - 1..=year + 1)
                    .flat_map(|year| holidays::of_year(calendar.known.unwrap(), year))
                    .any(|holiday| holiday == day));
        !is_in(calendar.weekend, day) && !is_holiday
    };
    // Open days d with from <= d < to: what is passed on the way, a closed day standing for the next open one.
    let (low, high) = (from.min(to), from.max(to));
    let passed = (low..high).filter(|&day| is_open(day)).count() as i64;
    if from <= to { passed } else { -passed }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_distance_is_what_counting_gives(
        name in prop::sample::select(vec!["weekends", "target2", "us_federal_reserve", "uk", "own"]),
        from in -26_500..85_000i32,
        step in -200..200i32,
        table in -600..600i32,
    ) {
        let (calendar, to) = (calendar(name), from + step);
        let expected = counted(&calendar, from, to);
        prop_assert_eq!(calendar.table(from.min(to), from.max(to)).between(from, to), expected);
        // Symmetric, and additive over any day between.
        let days = calendar.table(from.min(to), from.max(to));
        prop_assert_eq!(days.between(to, from), -expected);
        let middle = from + step / 2;
        prop_assert_eq!(days.between(from, middle) + days.between(middle, to), expected);
        prop_assert!(i64::from(step.abs()) <= days.calendar_days_max(expected.abs()));
        // A table of other days is never asked about holidays, but it never panics and keeps weekends.
        let elsewhere = calendar.table(from + table, from + table);
        prop_assert!((elsewhere.between(from, to) - expected).abs() <= 40);
    }

    #[test]
    fn any_day_at_all_has_a_place(from: i32, to: i32) {
        let days = calendar("target2").table(from.min(to), from.max(to));
        prop_assert_eq!(days.between(from, to), -days.between(to, from));
        prop_assert!(days.calendar_days_max(2) <= 21);
    }
}
