//! Workers as they tell of themselves, and waking relays.

use super::*;
use shared::store::workers::NewWorker;
use shared::testing::TestDatabase;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn worker(name: &str) -> NewWorker {
    NewWorker { name: name.into(), version: "1.2", kinds: vec![JobKind::RECONCILIATION], slots: 3 }
}

#[tokio::test]
async fn workers_are_shown_with_what_they_run_until_they_stop() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("worker-a"), false).await.unwrap();
    store.heartbeat(&worker("worker-b"), false).await.unwrap();
    let ids = [accept(&store, &new_job()).await, accept(&store, &new_job()).await];
    for id in ids {
        acquire(&store, id).await;
    }
    store.heartbeat(&worker("worker-b"), true).await.unwrap();
    let seen = store.workers(10).await.unwrap();
    let a = seen.iter().find(|seen| seen.name == "worker-a").unwrap();
    assert_eq!((a.running, &a.job_ids[..], a.slots, a.version.as_str()), (2, &ids[..], 3, "1.2"));
    assert!(!a.is_draining && !a.is_silent && a.kinds == ["reconciliation"]);
    let b = seen.iter().find(|seen| seen.name == "worker-b").unwrap();
    assert!(b.is_draining && b.running == 0);
    store.forget_worker("worker-b").await.unwrap();
    assert_eq!(store.workers(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_worker_hears_with_its_heartbeat_that_it_should_take_nothing_new() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let beat = async |is_draining| store.heartbeat(&worker("worker-a"), is_draining).await.unwrap();
    assert!(!beat(false).await);
    store.heartbeat(&worker("worker-b"), false).await.unwrap();
    assert!(store.drain_worker("worker-a", "one@example.org").await.unwrap());
    assert!(store.drain_worker("worker-a", "two@example.org").await.unwrap());
    assert!(!store.drain_worker("worker-c", "one@example.org").await.unwrap());
    assert!(beat(false).await, "it is told");
    assert!(beat(true).await, "and again: it may have missed it");
    let seen = store.workers(10).await.unwrap();
    let of = |name: &str| seen.iter().find(|seen| seen.name == name).unwrap();
    assert_eq!(of("worker-a").drain_asked_by.as_deref(), Some("one@example.org"), "who asked first");
    assert!(of("worker-a").is_draining && of("worker-b").drain_asked_at.is_none());
    assert!(store.let_worker_take_jobs("worker-a").await.unwrap());
    assert!(!store.let_worker_take_jobs("worker-c").await.unwrap());
    assert!(!beat(false).await);
}

#[tokio::test]
async fn silent_workers_are_shown_for_a_day_and_not_more_than_a_thousand() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.heartbeat(&worker("live"), false).await.unwrap();
    let silent = "INSERT INTO workers (name, version, kinds, slots, heartbeat_at)
        SELECT 'w' || n, '1', '{}'::text[], 1, now() - interval '1 minute' * n FROM generate_series(1, 1100) AS n
        UNION ALL SELECT 'old', '1', '{}', 1, now() - interval '25 hours'";
    sqlx::query(silent).execute(store.pool()).await.unwrap();
    let seen = store.workers(2).await.unwrap();
    assert!(seen[0].name == "live" && !seen[0].is_silent && seen[1].is_silent);
    assert_eq!(store.prune_workers(60).await.unwrap(), 60);
    assert_eq!(store.prune_workers(500).await.unwrap(), 41);
    assert_eq!(store.prune_workers(500).await.unwrap(), 0);
    assert_eq!(store.workers(5000).await.unwrap().len(), 1001);
}

#[tokio::test]
async fn a_commit_in_one_process_wakes_the_relay_of_another_also_after_a_lost_connection() {
    let db = TestDatabase::create().await;
    let (here, there) = (db.store(), db.store());
    let (committed, woken, stop) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
    let announcing = tokio::spawn(here.clone().announce_doorbells(committed.clone(), stop.clone()));
    let listening = tokio::spawn({
        let (woken, stop) = (woken.clone(), stop.clone());
        async move { there.listen_for_doorbells(woken, stop).await }
    });
    let listeners = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    for _ in 0..2 {
        let heard = async {
            while sqlx::query_scalar::<_, i64>(listeners).fetch_one(here.pool()).await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Whatever woke it for having been away.
            let _ = tokio::time::timeout(Duration::from_millis(50), woken.notified()).await;
            committed.notify_one();
            woken.notified().await;
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.expect("it is woken");
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query ILIKE 'LISTEN%'",
        )
        .execute(here.pool())
        .await
        .unwrap();
    }
    stop.cancel();
    announcing.await.unwrap();
    listening.await.unwrap();
}

#[tokio::test]
async fn leases_asked_for_together_are_those_that_are_free() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let free = [accept(&store, &new_job()).await, accept(&store, &new_job()).await];
    let key = shared::limits::ConcurrencyKey::parse("k").unwrap();
    let limited = accept(&store, &NewJob { concurrency_key: Some(key), ..new_job() }).await;
    let running = accept(&store, &new_job()).await;
    acquire(&store, running).await;
    let locked = accept(&store, &new_job()).await;
    let mut tx = store.begin().await.unwrap();
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR UPDATE").bind(locked).execute(&mut *tx).await.unwrap();
    let asked = [free[0], limited, running, locked, JobId::new(), free[1], free[0]];
    let leases = store.acquire_free(&asked, "worker-b", LEASE).await.unwrap();
    tx.rollback().await.unwrap();
    let mut found: Vec<_> = leases.iter().map(|(id, lease)| (*id, lease.fence, lease.attempt)).collect();
    found.sort();
    assert_eq!(found, [(free[0], 1, 1), (free[1], 1, 1)]);
    for id in free {
        assert_eq!(store.attempts(id).await.unwrap().len(), 1);
    }
    assert_eq!(state(&store, limited).await, JobState::Available);
    assert_eq!(state(&store, locked).await, JobState::Available);
}

#[tokio::test]
async fn leases_given_back_together_end_each_in_its_own_way() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut ended = vec![];
    for end in [
        Finish::Completed { result: serde_json::json!({ "n": 1 }) },
        retry_after(LEASE),
        Finish::Snooze { wait: LEASE, reason: "later".into() },
        Finish::Dead { error: "no\0thing".into() },
        Finish::Cancelled,
        Finish::HandedBack,
    ] {
        let id = accept(&store, &new_job()).await;
        ended.push((Arc::new(acquire(&store, id).await), end));
    }
    let lost = accept(&store, &new_job()).await;
    let lost = acquire(&store, lost).await;
    ended.push((Arc::new(Lease { fence: lost.fence + 1, ..lost }), Finish::Cancelled));
    let released = shared::store::jobs::release_free(&store, &ended).await.unwrap();
    use JobState::*;
    let states: Vec<_> = ended.iter().map(|(lease, _)| released.get(&lease.job_id).copied()).collect();
    let expected = [Completed, Scheduled, Scheduled, Dead, Cancelled, Available];
    assert_eq!(states[..6], expected.map(Some));
    assert_eq!(states[6], None, "that lease is another one's");
    let mut outcomes = vec![];
    for (lease, _) in &ended {
        let job = store.job(lease.job_id).await.unwrap().unwrap();
        outcomes.push((store.attempts(job.id).await.unwrap()[0].outcome.clone(), job.attempt, job.error));
    }
    let outcome =
        |word: &str, attempt, error: Option<&str>| (Some(word.into()), attempt, error.map(Into::into));
    let expected = [
        outcome("completed", 1, None),
        outcome("retried", 1, Some("the other side hung up")),
        outcome("snoozed", 0, Some("later")),
        outcome("dead", 1, Some("no\u{fffd}thing")),
        outcome("cancelled", 1, None),
        outcome("handed_back", 0, None),
    ];
    assert_eq!(outcomes[..6], expected);
    assert_eq!(doorbells(&store, ended[5].0.job_id).await, 2, "the one handed back rings again");
    assert_eq!(store.job_result(ended[0].0.job_id).await.unwrap(), Some(serde_json::json!({ "n": 1 })));
}
