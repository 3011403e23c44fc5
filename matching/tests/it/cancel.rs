//! A run that is no longer wanted stops soon, wherever it is.

use crate::table::rule_set;
use matching::{
    Cancelled, Currency, Phase, Progress, ReconcileError, Records, RecordsBuilder, Watch, reconcile,
};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Records that are as hard as possible: one key, one day, amounts so near that nearly all pairs fit.
fn hard(count: u32, prefix: &str) -> Records {
    let mut builder = RecordsBuilder::new(vec!["reference".into(), "description".into(), "batch".into()]);
    let eur = Currency::parse("EUR").unwrap();
    for i in 0..count {
        let text = format!("PAYMENT NUMBER {} OF HOLM GMBH", i % 997);
        let fields = ["INV-2026-0001", &text, "PO-0001"];
        builder.push(&format!("{prefix}{i}"), 1, i64::from(10_000 + i % 97), eur, 20_000, &fields).unwrap();
    }
    builder.build()
}

const RULES: &str = r#"
    [[pass]]
    name = "key"
    key = [{ left = "reference", right = "reference" }]
    amount = { percent = "5" }
    text = { left = ["description"], right = ["description"], min = 0.1 }
    [[pass]]
    name = "near"
    amount = { percent = "5" }
    date = { window_days = 30 }
    text = { left = ["description"], right = ["description"], min = 0.1 }
    [[pass]]
    name = "sum"
    cardinality = "1:n"
    key = [{ left = "reference", right = "batch", normalise = "tokens" }]
    [[pass]]
    name = "learned"
    amount = { percent = "5" }
    learned = {}
"#;

#[test]
fn a_cancelled_run_stops_soon_wherever_it_is() {
    let (left, right) = (hard(3000, "L"), hard(3000, "R"));
    let rules = rule_set(RULES, &left, &right);
    let calls = AtomicUsize::new(0);
    let never = || {
        calls.fetch_add(1, Ordering::Relaxed);
        false
    };
    reconcile(&left, &right, &rules, Watch { cancelled: &never, progress: &|_| {} }).unwrap();
    let all = calls.into_inner();
    assert!(all > 100, "asked only {all} times");

    for part in 0..20 {
        let stop_at = all * part / 20;
        let (calls, since) = (AtomicUsize::new(0), Mutex::new(None::<Instant>));
        let cancelled = || {
            let stop = calls.fetch_add(1, Ordering::Relaxed) >= stop_at;
            if stop {
                since.lock().unwrap().get_or_insert_with(Instant::now);
            }
            stop
        };
        let result = reconcile(&left, &right, &rules, Watch { cancelled: &cancelled, progress: &|_| {} });
        assert_eq!(result, Err(ReconcileError::Cancelled(Cancelled)), "at call {stop_at} of {all}");
        let took = since.into_inner().unwrap().expect("it said stop").elapsed();
        // A tenth of a second is the aim; the bound leaves room for a machine that is busy with other tests.
        assert!(took < Duration::from_secs(2), "{took:?} after call {stop_at}");
    }
}

#[test]
fn progress_never_goes_back_and_ends_complete() {
    let (left, right) = (hard(500, "L"), hard(400, "R"));
    let rules = rule_set(RULES, &left, &right);
    let seen = Mutex::new(Vec::<Progress>::new());
    let watch = Watch { cancelled: &|| false, progress: &|p| seen.lock().unwrap().push(p) };
    reconcile(&left, &right, &rules, watch).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted_by(|a, b| a.fraction <= b.fraction && a.rows_done <= b.rows_done), "{seen:?}");
    assert!(seen.len() < 200, "{} reports for a small run", seen.len());
    assert_eq!(seen[0].phase, Phase::Prepare);
    for (index, pass) in rules.passes.iter().enumerate() {
        let phase = Phase::Pass { index, name: pass.name.clone() };
        assert!(seen.iter().any(|p| p.phase == phase), "{phase:?}");
    }
    let last = seen.last().unwrap();
    assert_eq!((last.fraction, last.rows_done, last.rows_total), (1.0, 900, 900));
}

/// Records that all differ and all fit each other: the largest piece that is solved exactly, many times.
#[test]
fn a_run_stops_soon_inside_the_best_choice_too() {
    let side = |prefix: &str, shift: i32| {
        let mut builder = RecordsBuilder::new(vec!["reference".into(), "note".into()]);
        let eur = Currency::parse("EUR").unwrap();
        for i in 0..200 * 6 {
            let (block, note) = (format!("R-{}", i / 200), format!("{prefix} {i}"));
            let date = 20_000 + (i * 7_919 % 200) * 3 + shift;
            builder.push(&format!("{prefix}{i}"), 1, 10_000, eur, date, &[&block, &note]).unwrap();
        }
        builder.build()
    };
    let (left, right) = (side("L", 0), side("R", 1));
    let rules = r#"
        ambiguity_margin = 0.0001
        [[pass]]
        name = "key"
        key = [{ left = "reference", right = "reference" }]
    "#;
    let rules = rule_set(rules, &left, &right);
    let calls = AtomicUsize::new(0);
    let count = || {
        calls.fetch_add(1, Ordering::Relaxed);
        false
    };
    let outcome = reconcile(&left, &right, &rules, Watch { cancelled: &count, progress: &|_| {} }).unwrap();
    assert_eq!((outcome.passes[0].beyond_bound, outcome.passes[0].gave_up), (0, 0));
    // Everybody's partner is one day away, and nobody need look farther.
    assert_eq!(outcome.matches.len(), 1_200);
    let all = calls.into_inner();
    for part in [3, 5, 8] {
        let (calls, since) = (AtomicUsize::new(0), Mutex::new(None::<Instant>));
        let cancelled = || {
            let stop = calls.fetch_add(1, Ordering::Relaxed) >= all * part / 10;
            if stop {
                since.lock().unwrap().get_or_insert_with(Instant::now);
            }
            stop
        };
        let result = reconcile(&left, &right, &rules, Watch { cancelled: &cancelled, progress: &|_| {} });
        assert_eq!(result, Err(ReconcileError::Cancelled(Cancelled)));
        let took = since.into_inner().unwrap().expect("it said stop").elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}
