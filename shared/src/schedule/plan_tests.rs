use super::*;
use TickOutcome::*;
use proptest::prelude::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn hourly() -> Timing {
    Timing::parse("0 * * * *", "UTC").unwrap()
}

/// `HH:MM outcome` of every tick planned for an hourly schedule that expects 01:00.
fn planned(missed_runs: MissedRuns, is_paused: bool, now: &str) -> Vec<String> {
    let plan = plan(&hourly(), missed_runs, is_paused, utc("2026-01-01T01:00:00Z"), utc(now));
    assert!(plan.next_due_at.is_some_and(|next| next > utc(now)));
    let line = |tick: &PlannedTick| format!("{} {}", tick.due_at.format("%H:%M"), tick.outcome.as_str());
    plan.ticks.iter().map(line).collect()
}

#[test]
fn nothing_happens_before_its_time() {
    for missed_runs in MissedRuns::ALL {
        assert_eq!(planned(missed_runs, false, "2026-01-01T00:59:59.999Z"), [""; 0]);
    }
}

#[test]
fn what_is_on_time_fires_whatever_the_policy() {
    for missed_runs in MissedRuns::ALL {
        for now in ["2026-01-01T01:00:00Z", "2026-01-01T01:00:00.001Z", "2026-01-01T01:01:00Z"] {
            assert_eq!(planned(missed_runs, false, now), ["01:00 fired"], "{now}");
        }
        assert_eq!(planned(missed_runs, true, "2026-01-01T01:00:00Z"), ["01:00 skipped_paused"]);
    }
}

#[test]
fn what_is_late_follows_the_policy() {
    let late = "2026-01-01T03:30:00Z";
    let skip = ["01:00 skipped_missed", "02:00 skipped_missed", "03:00 skipped_missed"];
    assert_eq!(planned(MissedRuns::Skip, false, late), skip);
    assert_eq!(planned(MissedRuns::Once, false, late), ["01:00 coalesced", "02:00 coalesced", "03:00 fired"]);
    assert_eq!(planned(MissedRuns::All, false, late), ["01:00 fired", "02:00 fired", "03:00 fired"]);
    for missed_runs in MissedRuns::ALL {
        let paused = ["01:00 skipped_paused", "02:00 skipped_paused", "03:00 skipped_paused"];
        assert_eq!(planned(missed_runs, true, late), paused);
    }
}

#[test]
fn a_run_that_happens_anyway_makes_up_for_missed_ones() {
    let now = "2026-01-01T03:00:10Z";
    assert_eq!(planned(MissedRuns::Once, false, now), ["01:00 coalesced", "02:00 coalesced", "03:00 fired"]);
    let skip = ["01:00 skipped_missed", "02:00 skipped_missed", "03:00 fired"];
    assert_eq!(planned(MissedRuns::Skip, false, now), skip);
}

#[test]
fn reasons_say_how_late_and_what_makes_up() {
    let plan =
        plan(&hourly(), MissedRuns::Once, false, utc("2026-01-01T01:00:00Z"), utc("2026-01-01T02:30:00Z"));
    let reasons: Vec<_> = plan.ticks.iter().map(|tick| tick.reason.as_deref().unwrap()).collect();
    assert_eq!(reasons, ["5400 s late; made up for by the run due at 2026-01-01T02:00:00Z", "1800 s late"]);
}

#[test]
fn a_long_absence_of_a_quick_schedule_stays_bounded() {
    let every_second = Timing::parse("* * * * * *", "Europe/Berlin").unwrap();
    let (from, now) = (utc("2025-01-01T00:00:00Z"), utc("2026-01-01T00:00:00Z"));
    for (missed_runs, rest, fired) in [
        (MissedRuns::Skip, SkippedMissed, 61),
        (MissedRuns::Once, Coalesced, 61),
        (MissedRuns::All, SkippedMissed, LISTED_MAX),
    ] {
        let plan = plan(&every_second, missed_runs, false, from, now);
        assert_eq!(plan.ticks.len(), LISTED_MAX + 1);
        assert_eq!((plan.ticks[0].outcome, plan.ticks[0].covers_from), (rest, Some(from)));
        assert_eq!(plan.ticks[0].due_at, now - TimeDelta::seconds(LISTED_MAX as i64));
        assert_eq!(plan.ticks.iter().filter(|tick| tick.outcome == Fired).count(), fired, "{missed_runs:?}");
        assert_eq!(plan.next_due_at, Some(now + TimeDelta::seconds(1)));
    }
}

#[test]
fn a_promised_time_is_kept_though_the_expression_no_longer_names_it() {
    let odd = utc("2026-01-01T00:30:00Z");
    let plan = plan(&hourly(), MissedRuns::All, false, odd, utc("2026-01-01T01:00:30Z"));
    let due: Vec<_> = plan.ticks.iter().map(|tick| tick.due_at).collect();
    assert_eq!(due, [odd, utc("2026-01-01T01:00:00Z")]);
}

#[test]
fn what_never_comes_again_has_no_next() {
    let never = Timing::parse("0 0 30 2 *", "UTC").unwrap();
    let due = utc("2026-01-01T00:00:00Z");
    let plan = plan(&never, MissedRuns::Once, false, due, due);
    assert_eq!((plan.ticks.len(), plan.next_due_at), (1, None));
}

proptest! {
    /// However time passes, the plans made along the way decide every due time exactly once.
    #[test]
    fn every_due_time_is_decided_once(
        text in prop::sample::select(vec!["0 * * * *", "*/7 * * * *", "30 2 * * *", "15 * * * * *", "0 0 29 2 *", "*/10 2 * * SUN"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"]),
        missed_runs in prop::sample::select(MissedRuns::ALL.to_vec()),
        start in 0i64..31_536_000,
        // Backwards too, as clocks do.
        steps in prop::collection::vec((-3600i64..40_000, any::<bool>()), 1..12),
    ) {
        let timing = Timing::parse(text, zone).unwrap();
        let begin = utc("2026-01-01T00:00:00Z") + TimeDelta::seconds(start);
        let mut next_due_at = timing.next_after(begin);
        let mut seen = vec![];
        let (mut now, mut furthest) = (begin, begin);
        for (step, is_paused) in steps {
            now += TimeDelta::seconds(step);
            furthest = furthest.max(now);
            let plan = plan(&timing, missed_runs, is_paused, next_due_at.unwrap(), now);
            prop_assert!(plan.ticks.len() <= LISTED_MAX + 1);
            let fired = plan.ticks.iter().filter(|tick| tick.outcome == Fired);
            prop_assert!(!is_paused || fired.clone().count() == 0);
            if missed_runs == MissedRuns::Once {
                let late = fired.filter(|tick| now - tick.due_at > TimeDelta::seconds(ON_TIME_S));
                prop_assert!(late.count() <= 1);
            }
            for tick in &plan.ticks {
                let from = tick.covers_from.unwrap_or(tick.due_at) - TimeDelta::seconds(1);
                seen.extend(timing.after(from).take_while(|at| *at <= tick.due_at));
            }
            next_due_at = plan.next_due_at;
        }
        let expected: Vec<_> = timing.after(begin).take_while(|at| *at <= furthest).collect();
        prop_assert_eq!(seen, expected);
    }
}
