//! Schedules: ticks, the ledger, changes, what is shipped.

use super::*;
use chrono::{DateTime, TimeDelta, Utc};
use shared::ids::{ProjectId, ScheduleId, UserId};
use shared::schedule::{MissedRuns, TickOutcome, Timing};
use shared::store::schedules::{Change, ChangeError, NewSchedule, Schedule, Tick};
use shared::testing::TestDatabase;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn timing(cron: &str) -> Timing {
    Timing::parse(cron, "Europe/Berlin").unwrap()
}

fn new_schedule(name: &str, cron: &str) -> NewSchedule {
    NewSchedule {
        id: ScheduleId::new(),
        project_id: None,
        name: name.into(),
        kind: "clean_up".into(),
        args: serde_json::json!({}),
        priority: 3,
        timing: timing(cron),
        missed_runs: MissedRuns::Once,
        is_paused: false,
        created_by: None,
    }
}

const START: &str = "2026-03-01T00:00:00Z";

async fn store_schedule(store: &Store, new: NewSchedule) -> Schedule {
    store.insert_schedule(&new, Some(utc(START))).await.unwrap()
}

async fn ticks(store: &Store, id: ScheduleId) -> Vec<Tick> {
    let mut ticks = store.schedule_ticks(id, None, 1000).await.unwrap();
    ticks.reverse();
    ticks
}

async fn outcomes(store: &Store, id: ScheduleId) -> Vec<(String, TickOutcome)> {
    let line = |tick: Tick| (tick.due_at.format("%d %H:%M").to_string(), tick.outcome);
    ticks(store, id).await.into_iter().map(line).collect()
}

async fn count(store: &Store, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(store.pool()).await.unwrap()
}

#[tokio::test]
async fn a_due_schedule_makes_a_tick_a_job_and_a_doorbell_together() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let schedule = store_schedule(&store, new_schedule("Nightly", "0 2 * * *")).await;
    assert_eq!(schedule.next_due_at, Some(utc("2026-03-01T01:00:00Z")), "two o'clock in Berlin");

    let before = Some(utc("2026-03-01T00:59:59.9Z"));
    assert_eq!(store.due_schedules(before, 10).await.unwrap(), []);
    assert_eq!(store.tick_schedule(schedule.id, before).await.unwrap(), None);

    let at = Some(utc("2026-03-01T01:00:00.2Z"));
    assert_eq!(store.due_schedules(at, 10).await.unwrap(), [schedule.id]);
    let ticked = store.tick_schedule(schedule.id, at).await.unwrap().expect("it was due");
    assert_eq!(ticked.schedule.next_due_at, Some(utc("2026-03-02T01:00:00Z")));
    let [tick] = &ticks(&store, schedule.id).await[..] else { panic!("one tick") };
    assert_eq!((tick.due_at, tick.outcome), (utc("2026-03-01T01:00:00Z"), TickOutcome::Fired));
    let job_id = tick.job_id.expect("a job");
    let job = store.job(job_id).await.unwrap().expect("the job exists");
    assert_eq!((job.kind.as_str(), job.priority, job.state), ("clean_up", 3, JobState::Available));
    assert!(job.request_id.is_some_and(|id| id.starts_with(&format!("schedule-{}", schedule.id))));
    assert_eq!(doorbells(&store, job_id).await, 1);

    assert_eq!(store.tick_schedule(schedule.id, at).await.unwrap(), None, "decided");
    // Another clock goes back: what is decided stays decided.
    sqlx::query("UPDATE schedules SET next_due_at = '2026-03-01T01:00:00Z'")
        .execute(store.pool())
        .await
        .unwrap();
    let again = store.tick_schedule(schedule.id, at).await.unwrap().expect("due again");
    assert_eq!(again.ticks, []);
    assert_eq!(count(&store, "SELECT count(*) FROM jobs").await, 1);
    assert_eq!(again.schedule.next_due_at, Some(utc("2026-03-02T01:00:00Z")));
}

#[tokio::test]
async fn many_schedulers_at_once_decide_each_due_time_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut ids = vec![];
    for i in 0..10 {
        let new = NewSchedule { missed_runs: MissedRuns::All, ..new_schedule(&format!("{i}"), "0 * * * *") };
        ids.push(store_schedule(&store, new).await.id);
    }
    let at = Some(utc("2026-03-01T09:30:00Z"));
    let all = ids.iter().flat_map(|id| (0..5).map(|_| store.tick_schedule(*id, at)));
    let ticked = futures_util::future::join_all(all).await;
    assert_eq!(ticked.into_iter().filter_map(|ticked| ticked.unwrap()).count(), 10, "one each");
    assert_eq!(count(&store, "SELECT count(*) FROM schedule_ticks WHERE outcome = 'fired'").await, 90);
    assert_eq!(count(&store, "SELECT count(*) FROM jobs").await, 90);
    assert_eq!(count(&store, "SELECT count(*) FROM outbox").await, 90);
}

#[tokio::test]
async fn the_ledger_refuses_a_second_tick_and_ticks_without_their_job() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let schedule = store_schedule(&store, new_schedule("Nightly", "0 2 * * *")).await;
    store.tick_schedule(schedule.id, Some(utc("2026-03-01T02:00:00Z"))).await.unwrap();
    for (statement, constraint) in [
        ("INSERT INTO schedule_ticks SELECT * FROM schedule_ticks", "schedule_ticks_pkey"),
        ("UPDATE schedule_ticks SET job_id = NULL", "schedule_ticks_job_iff_run"),
        ("UPDATE schedule_ticks SET outcome = 'failed'", "schedule_ticks_job_iff_run"),
    ] {
        let refused = sqlx::query(statement).execute(store.pool()).await.unwrap_err();
        let error = shared::store::StoreError::from(refused);
        assert_eq!(error.constraint(), Some(constraint), "{statement}");
    }
}

#[tokio::test]
async fn a_paused_schedule_notes_its_due_times_and_goes_on_when_resumed() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let schedule = store_schedule(&store, new_schedule("Hourly", "0 * * * *")).await;
    let pause = |is_paused| Change { is_paused: Some(is_paused), ..Change::default() };
    // What is due at the moment of the pause still fires.
    let at = Some(utc("2026-03-01T01:00:30Z"));
    let paused = store.change_schedule(schedule.id, Some(1), &pause(true), at).await.unwrap();
    assert_eq!((paused.paused_at, paused.version), (at, 2));
    store.tick_schedule(schedule.id, Some(utc("2026-03-01T02:00:10Z"))).await.unwrap();
    // And what came due in the pause does not, though nobody has looked at it yet.
    let at = Some(utc("2026-03-01T03:00:10Z"));
    store.change_schedule(schedule.id, None, &pause(false), at).await.unwrap();
    store.tick_schedule(schedule.id, Some(utc("2026-03-01T04:00:10Z"))).await.unwrap();
    use TickOutcome::*;
    let expected =
        [("01 01:00", Fired), ("01 02:00", SkippedPaused), ("01 03:00", SkippedPaused), ("01 04:00", Fired)];
    assert_eq!(outcomes(&store, schedule.id).await, expected.map(|(at, outcome)| (at.to_owned(), outcome)));
}

#[tokio::test]
async fn a_change_decides_what_is_due_by_the_old_definition_first() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let schedule = store_schedule(&store, new_schedule("Hourly", "0 * * * *")).await;
    let change = Change { timing: Some(timing("30 5 * * *")), ..Change::default() };
    let at = Some(utc("2026-03-01T01:00:20Z"));
    let changed = store.change_schedule(schedule.id, Some(1), &change, at).await.unwrap();
    assert_eq!(changed.next_due_at, Some(utc("2026-03-01T04:30:00Z")));
    assert_eq!(outcomes(&store, schedule.id).await, [("01 01:00".to_owned(), TickOutcome::Fired)]);

    let stale = store.change_schedule(schedule.id, Some(1), &change, at).await.unwrap_err();
    assert!(matches!(stale, ChangeError::Stale { version: 2 }), "{stale:?}");
    let gone = store.change_schedule(ScheduleId::new(), None, &change, at).await.unwrap_err();
    assert!(matches!(gone, ChangeError::Gone), "{gone:?}");
    store_schedule(&store, new_schedule("Other", "0 * * * *")).await;
    let rename = Change { name: Some("OTHER".into()), ..Change::default() };
    let taken = store.change_schedule(schedule.id, None, &rename, at).await.unwrap_err();
    assert!(matches!(taken, ChangeError::NameTaken), "{taken:?}");
    assert_eq!(store.schedule(schedule.id).await.unwrap(), Some(changed), "nothing half-changed");
}

#[tokio::test]
async fn a_run_now_leaves_the_next_due_time_alone() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let schedule = store_schedule(&store, new_schedule("Nightly", "0 2 * * *")).await;
    let at = utc("2026-03-01T00:30:00Z");
    let runs = (0..3).map(|_| store.run_schedule_now(schedule.id, None, Some("request-7".into()), Some(at)));
    let jobs = futures_util::future::join_all(runs).await;
    for job_id in jobs {
        let job = store.job(job_id.unwrap()).await.unwrap().expect("a job");
        assert_eq!((job.kind.as_str(), job.request_id.as_deref()), ("clean_up", Some("request-7")));
    }
    let ticks = ticks(&store, schedule.id).await;
    assert_eq!(ticks.len(), 3);
    assert!(ticks.iter().all(|tick| tick.outcome == TickOutcome::RunNow && tick.due_at > at));
    let now = store.schedule(schedule.id).await.unwrap().unwrap();
    assert_eq!((now.next_due_at, now.version), (schedule.next_due_at, 1));
}

#[tokio::test]
async fn what_cannot_start_is_in_the_ledger_with_its_reason_and_harms_no_other() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let user = shared::store::users::NewUser {
        id: UserId::new(),
        email: "ada@example.org".into(),
        name: "Ada".into(),
        password_hash: "x".into(),
        is_platform_admin: false,
    };
    store.insert_user(&user).await.unwrap();
    let project_id = ProjectId::new();
    store.create_project(project_id, "Books", user.id).await.unwrap();
    // Data sources that are gone.
    let broken = NewSchedule {
        project_id: Some(project_id),
        kind: "reconciliation".into(),
        args: serde_json::json!({
            "name": "x", "rules": {}, "left_source_id": ScheduleId::new(), "right_source_id": ScheduleId::new(),
        }),
        missed_runs: MissedRuns::All,
        ..new_schedule("Broken", "0 * * * *")
    };
    let broken = store_schedule(&store, broken).await;
    let at = Some(utc("2026-03-01T02:00:30Z"));
    let ticked = store.tick_schedule(broken.id, at).await.unwrap().unwrap();
    assert_eq!(ticked.ticks.len(), 2);
    for tick in ticks(&store, broken.id).await {
        assert_eq!((tick.outcome, tick.job_id), (TickOutcome::Failed, None));
        assert!(
            tick.reason.as_deref().unwrap().contains("a data source that it names is gone"),
            "{:?}",
            tick.reason
        );
    }
    let refused = store.run_schedule_now(broken.id, None, None, at).await.unwrap_err();
    assert!(matches!(refused, ChangeError::CannotRun { .. }), "{refused:?}");
    assert_eq!(count(&store, "SELECT count(*) FROM jobs").await, 0);
    assert_eq!(count(&store, "SELECT count(*) FROM outbox").await, 0);

    // A zone that this version does not know any more: told, and not tried every second.
    let lost = store_schedule(&store, new_schedule("Lost", "0 * * * *")).await;
    sqlx::query("UPDATE schedules SET time_zone = 'Europe/Atlantis' WHERE id = $1")
        .bind(lost.id)
        .execute(store.pool())
        .await
        .unwrap();
    let ticked = store.tick_schedule(lost.id, at).await.unwrap().unwrap();
    assert_eq!((ticked.ticks[0].outcome, ticked.schedule.next_due_at), (TickOutcome::Failed, None));
    let mended = Change { timing: Some(timing("0 5 * * *")), ..Change::default() };
    let mended = store.change_schedule(lost.id, None, &mended, at).await.unwrap();
    assert_eq!(mended.next_due_at, Some(utc("2026-03-01T04:00:00Z")));
}

#[tokio::test]
async fn kinds_of_a_later_version_are_left_to_it() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let later = NewSchedule { kind: "teleport".into(), ..new_schedule("Later", "0 * * * *") };
    let later = store_schedule(&store, later).await;
    let at = Some(utc("2026-03-01T05:00:00Z"));
    assert_eq!(store.due_schedules(at, 10).await.unwrap(), []);
    assert!(store.schedules_late_s(at).await.unwrap() > 3600.0, "but it shows");
    assert_eq!(outcomes(&store, later.id).await, []);
}

#[tokio::test]
async fn names_are_unique_and_schedules_counted_within_their_project() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store_schedule(&store, new_schedule("Nightly", "0 2 * * *")).await;
    let at = Some(utc(START));
    let taken = store.insert_schedule(&new_schedule("nightly", "0 3 * * *"), at).await.unwrap_err();
    assert!(matches!(taken, ChangeError::NameTaken), "{taken:?}");
    sqlx::query(
        "INSERT INTO schedules (id, name, kind, args, priority, cron, time_zone, missed_runs)
         SELECT gen_random_uuid(), 'n' || n, 'clean_up', '{}', 3, '0 2 * * *', 'UTC', 'skip'
         FROM generate_series(2, 200) AS n",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let full = store.insert_schedule(&new_schedule("One more", "0 3 * * *"), at).await.unwrap_err();
    assert!(matches!(full, ChangeError::TooMany), "{full:?}");
}

#[tokio::test]
async fn shipped_schedules_are_offered_once_and_then_the_operators() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let at = Some(utc(START));
    let all = futures_util::future::join_all((0..4).map(|_| store.offer_shipped_schedules(false, at))).await;
    let names: Vec<_> = all.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(names, ["Daily clean-up"], "four at once store it once");
    let line = store.schedules(None, None, 10).await.unwrap().remove(0);
    let schedule = line.schedule;
    assert_eq!(schedule.shipped_key.as_deref(), Some("daily_clean_up"));
    assert_eq!(schedule.next_due_at, Some(utc("2026-03-01T04:00:00Z")));

    let change = Change { timing: Some(timing("0 5 * * SUN")), ..Change::default() };
    let changed = store.change_schedule(schedule.id, None, &change, at).await.unwrap();
    assert_eq!(store.offer_shipped_schedules(false, at).await.unwrap(), [""; 0]);
    assert_eq!(store.schedule(schedule.id).await.unwrap(), Some(changed), "the operator's stays");
    assert!(store.remove_schedule(schedule.id).await.unwrap());
    assert!(!store.remove_schedule(schedule.id).await.unwrap());
    assert_eq!(store.offer_shipped_schedules(false, at).await.unwrap(), [""; 0], "removed stays removed");
    assert_eq!(count(&store, "SELECT count(*) FROM schedules").await, 0);
}

#[tokio::test]
async fn backups_are_scheduled_as_soon_as_there_is_a_place_for_them() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let at = Some(utc("2026-02-27T23:59:59Z"));
    assert_eq!(store.offer_shipped_schedules(false, at).await.unwrap(), ["Daily clean-up"]);
    let installed_at = store.backups_expected_since().await.unwrap().expect("since the installation");
    assert_eq!(store.offer_shipped_schedules(true, at).await.unwrap().len(), 6);
    assert!(store.backups_expected_since().await.unwrap().expect("since the schedule") >= installed_at);
    let mut due: Vec<_> = store
        .schedules(None, None, 20)
        .await
        .unwrap()
        .into_iter()
        .map(|line| {
            let schedule = line.schedule;
            let next = schedule.next_due_at.unwrap().format("%a %d %H:%M").to_string();
            format!("{next} {} {} {}", schedule.kind, schedule.args, schedule.priority)
        })
        .collect();
    due.sort();
    assert_eq!(
        due,
        [
            r#"Sat 28 00:00 backup {"kind":"full"} 9"#,
            "Sat 28 00:30 verify_backups {} 8",
            r#"Sat 28 02:00 backup {"kind":"base"} 9"#,
            "Sat 28 04:00 clean_up {} 3",
            "Sat 28 04:00 prune_backups {} 7",
            "Sun 01 03:00 config_backup {} 9",
            "Sun 01 03:00 restore_drill {} 7",
        ]
    );
}

#[tokio::test]
async fn a_shipped_schedule_gives_way_to_one_of_its_name() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let own = store_schedule(&store, new_schedule("daily CLEAN-UP", "0 1 * * *")).await;
    let at = Some(utc(START));
    assert_eq!(store.offer_shipped_schedules(false, at).await.unwrap(), [""; 0]);
    store.remove_schedule(own.id).await.unwrap();
    assert_eq!(store.offer_shipped_schedules(false, at).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn the_ledger_is_read_in_pages_and_pruned_by_age_and_number() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let quick = store_schedule(&store, new_schedule("Quick", "* * * * *")).await;
    let slow = store_schedule(&store, new_schedule("Slow", "0 2 * * *")).await;
    sqlx::query(
        "INSERT INTO schedule_ticks (schedule_id, due_at, outcome)
         SELECT $1, timestamptz '2026-01-01' + n * interval '1 minute', 'skipped_paused'
         FROM generate_series(1, 10500) AS n",
    )
    .bind(quick.id)
    .execute(store.pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO schedule_ticks (schedule_id, due_at, outcome, decided_at)
         SELECT $1, now() - n * interval '1 day', 'skipped_paused', now() - n * interval '1 day'
         FROM generate_series(1, 20) AS n",
    )
    .bind(slow.id)
    .execute(store.pool())
    .await
    .unwrap();

    let first = store.schedule_ticks(quick.id, None, 3).await.unwrap();
    let second = store.schedule_ticks(quick.id, Some(first[2].due_at), 3).await.unwrap();
    let gaps: Vec<_> =
        first.iter().chain(&second).map(|tick| (first[0].due_at - tick.due_at).num_minutes()).collect();
    assert_eq!(gaps, [0, 1, 2, 3, 4, 5]);

    let retention = Duration::from_secs(10 * 86_400 + 3600);
    assert_eq!(store.prune_schedule_ticks(retention, 300).await.unwrap(), 310, "bounded");
    assert_eq!(store.prune_schedule_ticks(retention, 300).await.unwrap(), 200);
    assert_eq!(store.prune_schedule_ticks(retention, 300).await.unwrap(), 0);
    assert_eq!(ticks(&store, slow.id).await.len(), 10);
    let oldest: DateTime<Utc> =
        sqlx::query_scalar("SELECT min(due_at) FROM schedule_ticks WHERE schedule_id = $1")
            .bind(quick.id)
            .fetch_one(store.pool())
            .await
            .unwrap();
    assert_eq!(oldest, utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(501));
}
