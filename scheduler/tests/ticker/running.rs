//! Whole schedulers on the real clock.

use chrono::{DateTime, TimeDelta, Utc};
use shared::config::Config;
use shared::ids::ScheduleId;
use shared::job::JobKind;
use shared::queue::Queue;
use shared::schedule::{MissedRuns, TickOutcome, Timing};
use shared::store::schedules::NewSchedule;
use shared::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn several_schedulers_fire_each_second_once_and_ring() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let queue = Queue::in_process(&[JobKind::CLEAN_UP.queue()], 1000);
    let mut config = Config::default();
    config.scheduler.period_ms = 100;
    let stop = CancellationToken::new();
    let running: Vec<_> = (0..3)
        .map(|_| {
            let (config, store, queue, stop) = (config.clone(), db.store(), queue.clone(), stop.clone());
            tokio::spawn(
                async move { scheduler::run(&config, store, queue, Arc::new(Notify::new()), stop).await },
            )
        })
        .collect();
    let new = NewSchedule {
        id: ScheduleId::new(),
        project_id: None,
        name: "Each second".into(),
        kind: "clean_up".into(),
        args: serde_json::json!({}),
        priority: 5,
        timing: Timing::parse("* * * * * *", "Asia/Kathmandu").expect("a timing"),
        missed_runs: MissedRuns::Skip,
        is_paused: false,
        created_by: None,
    };
    store.insert_schedule(&new, None).await.expect("stored");
    let five = async {
        while store.schedule_ticks(new.id, None, 10).await.expect("the ledger").len() < 5 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, five).await.expect("five ticks");
    stop.cancel();
    for scheduler in running {
        tokio::time::timeout(PATIENCE, scheduler).await.expect("it stops").expect("no panic");
    }

    let ticks = store.schedule_ticks(new.id, None, 1000).await.expect("the ledger");
    let due: Vec<DateTime<Utc>> = ticks.iter().map(|tick| tick.due_at).collect();
    for (later, earlier) in due.iter().zip(&due[1..]) {
        assert_eq!(*later - *earlier, TimeDelta::seconds(1), "{due:?}");
    }
    for tick in &ticks {
        assert_eq!(tick.outcome, TickOutcome::Fired);
        assert!(tick.decided_at >= tick.due_at);
    }
    let jobs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(store.pool()).await.expect("a count");
    assert_eq!(jobs, ticks.len() as i64);
    let shipped: i64 =
        sqlx::query_scalar("SELECT count(*) FROM schedules WHERE shipped_key = 'daily_clean_up'")
            .fetch_one(store.pool())
            .await
            .expect("a count");
    assert_eq!(shipped, 1);
    assert!(queue.depth(&JobKind::CLEAN_UP.queue()).await.expect("a depth") > 0, "doorbells reach the queue");
}
