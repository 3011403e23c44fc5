//! Three schedulers whose clocks disagree and which are killed at any point, through two years in twelve zones: no due
//! time is missed and none is doubled.
//!
//! Bounded here. `COUNTERFOIL_TEST_LONG=1` goes in small steps, with some ten times the kills;
//! `COUNTERFOIL_TEST_SEED` repeats a run.

use crate::walk::{CASES, due_times};
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scheduler::Ticker;
use shared::clock::Clock;
use shared::ids::{JobId, ScheduleId};
use shared::schedule::{MissedRuns, Timing};
use shared::store::Store;
use shared::store::schedules::NewSchedule;
use shared::testing::TestDatabase;
use sqlx::Connection;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Notify;

const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/Nuuk",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Antarctica/Troll",
];
const SCHEDULERS: usize = 3;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// A process that dies after it has been woken so many times: anywhere between two messages to the database.
struct Mortal<F> {
    inner: Pin<Box<F>>,
    wakes_left: u32,
}

impl<F: Future> Future for Mortal<F> {
    /// `None`: died first.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.wakes_left == 0 {
            return Poll::Ready(None);
        }
        self.wakes_left -= 1;
        self.inner.as_mut().poll(cx).map(Some)
    }
}

#[derive(Default, Debug)]
struct Figures {
    steps: u32,
    died: u32,
    cut: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn two_years_in_twelve_zones_miss_nothing_and_double_nothing() {
    let is_long = std::env::var_os("COUNTERFOIL_TEST_LONG").is_some();
    let seed = std::env::var("COUNTERFOIL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| rand::rng().random());
    println!("COUNTERFOIL_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (start, end) = (utc("2025-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"));

    let db = TestDatabase::create().await;
    let store = db.store();
    let mut expected = BTreeSet::new();
    for zone in ZONES {
        for case in &CASES {
            let timing = Timing::parse(case.cron, zone).expect("a timing");
            let due = due_times(case, timing.zone, start, end);
            assert!(due.len() > 100, "{} in {zone}", case.cron);
            let id = insert(&store, timing, start).await;
            expected.extend(due.into_iter().map(|due_at| (id, due_at)));
        }
    }

    let mut knife = sqlx::PgConnection::connect_with(&db.options()).await.expect("a connection");
    let stores: Vec<Store> = (0..SCHEDULERS).map(|_| db.store()).collect();
    let mut figures = Figures::default();
    let mut now = start;
    // Short steps make short rounds.
    let wakes_max = if is_long { 40 } else { 400 };
    // Each step is shorter than what the policy "all" makes up for.
    let step_max_s = if is_long { 8 * 3600 } else { 9 * 86_400 };
    while now < end {
        now = (now + TimeDelta::seconds(random.random_range(60..step_max_s))).min(end);
        figures.steps += 1;
        let round = stores.iter().map(|store| {
            // Six hours wrong, ahead or behind, but not beyond the end, so that the count is even.
            let wrong = TimeDelta::seconds(random.random_range(-21_600..21_600));
            let ticker =
                Ticker::new(store.clone(), Arc::new(Notify::new()), Clock::manual((now + wrong).min(end)));
            let wakes_left =
                if random.random_bool(0.5) { u32::MAX } else { random.random_range(1..wakes_max) };
            tokio::spawn(Mortal { inner: Box::pin(async move { ticker.tick().await.is_ok() }), wakes_left })
        });
        let round: Vec<_> = round.collect();
        if random.random_bool(0.2) {
            cut_connections(&mut knife).await;
            figures.cut += 1;
        }
        for scheduler in round {
            figures.died += u32::from(scheduler.await.expect("no panic").is_none());
        }
    }
    // A pool that nobody has cut.
    let store = db.store();
    let last = Ticker::new(store.clone(), Arc::new(Notify::new()), Clock::manual(end));
    // A killed one's session may hold its lock for a moment longer.
    let all_decided = async {
        while !store.due_schedules(Some(end), 1).await.expect("asked").is_empty() {
            last.tick().await.expect("nobody is killed any more");
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all_decided)
        .await
        .expect("everything is decided");

    let fired: Vec<(ScheduleId, DateTime<Utc>, JobId)> = sqlx::query_as(
        "SELECT schedule_id, due_at, job_id FROM schedule_ticks WHERE outcome = 'fired' AND due_at <= $1
           AND schedule_id IN (SELECT id FROM schedules WHERE shipped_key IS NULL)",
    )
    .bind(end)
    .fetch_all(store.pool())
    .await
    .expect("the ledger");
    let seen: BTreeSet<_> = fired.iter().map(|(id, due_at, _)| (*id, *due_at)).collect();
    let missed: Vec<_> = expected.difference(&seen).take(5).collect();
    let unexpected: Vec<_> = seen.difference(&expected).take(5).collect();
    println!("{} due times, {figures:?}", expected.len());
    assert!(missed.is_empty() && unexpected.is_empty(), "missed {missed:?}, unexpected {unexpected:?}");
    // The ledger cannot hold a due time twice; jobs beside the ledger could. Each has its doorbell.
    let count = async |statement: &'static str| -> i64 {
        sqlx::query_scalar(statement).fetch_one(store.pool()).await.expect("a count")
    };
    let jobs = count("SELECT count(*) FROM jobs WHERE priority = 9").await;
    assert_eq!(jobs, expected.len() as i64);
    let ledger = "SELECT count(*) FROM jobs JOIN schedule_ticks ON job_id = id JOIN outbox USING (job_id)
                  WHERE jobs.priority = 9";
    assert_eq!(count(ledger).await, jobs);
    let other = "SELECT count(*) FROM schedule_ticks WHERE outcome <> 'fired'
                 AND schedule_id IN (SELECT id FROM schedules WHERE shipped_key IS NULL)";
    assert_eq!(count(other).await, 0);
    assert!(figures.died > 20 && figures.cut > 5, "{figures:?}: the trouble did not come");
}

async fn insert(store: &Store, timing: Timing, at: DateTime<Utc>) -> ScheduleId {
    let id = ScheduleId::new();
    let new = NewSchedule {
        id,
        project_id: None,
        name: format!("{} {}", timing.expression, timing.zone.name()),
        kind: "clean_up".into(),
        args: serde_json::json!({}),
        // Tells its jobs from those of the shipped schedules.
        priority: 9,
        timing,
        missed_runs: MissedRuns::All,
        is_paused: false,
        created_by: None,
    };
    store.insert_schedule(&new, Some(at)).await.expect("stored");
    id
}

/// As if the database, or the network to it, had gone for a moment.
async fn cut_connections(knife: &mut sqlx::PgConnection) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(knife)
    .await
    .expect("a superuser");
}
