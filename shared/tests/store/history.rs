//! What a job went through, as its history tells it.

use super::*;
use shared::job::JobProgress;
use shared::store::jobs::{Held, HistoryEvent};
use shared::testing::TestDatabase;

async fn events(store: &Store, id: JobId) -> Vec<(HistoryEvent, Option<String>)> {
    let (_, _, history) = store.job_with_history(id).await.unwrap().expect("the job exists");
    assert!(history.is_sorted_by_key(|h| h.at));
    history.into_iter().map(|h| (h.event, h.detail)).collect()
}

#[tokio::test]
async fn a_long_attempt_tells_its_phases_once_each() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    for (phase, percent) in [("reading", 1.0), ("reading", 2.0), ("matching", 30.0), ("matching", 40.0)] {
        let progress = JobProgress { phase: phase.into(), percent, rows_done: 0, rows_total: 0 };
        let held = Held { job_id: id, fence: lease.fence, progress: Some(progress) };
        assert_eq!(store.renew(&[held], LEASE).await.unwrap().len(), 1);
    }
    let silent = Held { job_id: id, fence: lease.fence, progress: None };
    store.renew(&[silent], LEASE).await.unwrap();
    store.request_cancel(id).await.unwrap();
    store.request_cancel(id).await.unwrap();
    finish(&store, &lease, Finish::Cancelled).await.unwrap();
    use HistoryEvent::*;
    let phase = |name: &str| (Phase, Some(name.to_owned()));
    let expected = [
        (Accepted, None),
        (Leased, None),
        phase("reading"),
        phase("matching"),
        (CancelRequested, None),
        (Cancelled, None),
    ];
    assert_eq!(events(&store, id).await, expected);
}

#[tokio::test]
async fn phases_are_bounded() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    for n in 0..230 {
        let progress = JobProgress { phase: format!("phase {n}"), percent: 1.0, rows_done: 0, rows_total: 0 };
        store
            .renew(&[Held { job_id: id, fence: lease.fence, progress: Some(progress) }], LEASE)
            .await
            .unwrap();
    }
    assert_eq!(events(&store, id).await.len(), 2 + 200);
}

#[tokio::test]
async fn ends_that_no_attempt_made_are_told_too() {
    let db = TestDatabase::create().await;
    let store = db.store();
    use HistoryEvent::*;
    let waiting = accept(&store, &new_job()).await;
    store.request_cancel(waiting).await.unwrap();
    let seen: Vec<_> = events(&store, waiting).await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(seen, [Accepted, CancelRequested, Cancelled]);

    let rescued = accept(&store, &NewJob { attempts_max: 1, ..new_job() }).await;
    acquire(&store, rescued).await;
    let_pass(&store, rescued, LEASE * 2).await;
    store.rescue(10, 3).await.unwrap();
    let seen: Vec<_> = events(&store, rescued).await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(seen, [Accepted, Leased, LeaseExpired, Dead]);
}

#[tokio::test]
async fn attempts_of_a_job_that_snoozes_for_ever_are_bounded() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    // As if it had snoozed a thousand times.
    sqlx::query(
        "WITH j AS (UPDATE jobs SET fence = 1000 WHERE id = $1)
         INSERT INTO attempts (job_id, fence, attempt, worker, finished_at, outcome)
         SELECT $1, n, 1, 'w', now(), 'snoozed' FROM generate_series(2, 1000) AS n",
    )
    .bind(id)
    .execute(store.pool())
    .await
    .unwrap();
    let lease = Lease { fence: 1000, ..lease };
    let snooze = Finish::Snooze { wait: LEASE, reason: "not yet".into() };
    finish(&store, &lease, snooze).await.unwrap();
    assert_eq!(store.attempts(id).await.unwrap().len(), 500);
}
