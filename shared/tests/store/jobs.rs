//! The life of a job, from acceptance to each of its ends.

use super::*;
use shared::job::JobProgress;
use shared::store::jobs::{Held, LeaseLost, confirm};
use shared::testing::TestDatabase;

#[tokio::test]
async fn a_job_and_its_doorbell_are_born_together() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let job = new_job();
    let mut tx = store.begin().await.unwrap();
    enqueue(&mut tx, &job).await.unwrap();
    drop(tx);
    assert!(store.job(job.id).await.unwrap().is_none(), "rolled back with the change that caused it");
    assert_eq!(doorbells(&store, job.id).await, 0);
    accept(&store, &job).await;
    assert_eq!(state(&store, job.id).await, JobState::Available);
    assert_eq!(doorbells(&store, job.id).await, 1);
}

#[tokio::test]
async fn a_job_for_later_waits_without_a_doorbell() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let due_at = Some(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    let id = accept(&store, &NewJob { due_at, ..new_job() }).await;
    assert_eq!(state(&store, id).await, JobState::Scheduled);
    assert_eq!(doorbells(&store, id).await, 0);
    assert!(store.acquire(id, "worker-a", LEASE).await.unwrap().is_none(), "not due");
}

#[tokio::test]
async fn of_many_workers_one_gets_the_lease() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let asking = (0..8).map(|i| {
        let store = store.clone();
        async move { store.acquire(id, &format!("worker-{i}"), LEASE).await.unwrap() }
    });
    let leases: Vec<Lease> = futures_util::future::join_all(asking).await.into_iter().flatten().collect();
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].fence, leases[0].attempt), (1, 1));
    assert_eq!(leases[0].request_id.as_deref(), Some("request-1"));
}

#[tokio::test]
async fn completion_is_recorded_with_the_attempt() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    let result = serde_json::json!({ "matches": 7 });
    assert_eq!(finish(&store, &lease, Finish::Completed { result }).await.unwrap(), JobState::Completed);
    let attempts = store.attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("completed"));
    assert_eq!(attempts[0].worker, "worker-a");
    assert!(attempts[0].finished_at.is_some());
    assert_eq!(store.attempt_outcome(id, lease.fence).await.unwrap().as_deref(), Some("completed"));
}

#[tokio::test]
async fn an_outcome_is_recorded_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    finish(&store, &lease, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();
    let again = finish(&store, &lease, Finish::Dead { error: "late".into() }).await;
    assert!(matches!(again, Err(ReleaseError::LeaseLost(LeaseLost))));
    assert_eq!(state(&store, id).await, JobState::Completed);
}

#[tokio::test]
async fn a_worker_that_slept_through_its_lease_can_no_longer_write() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let slept = acquire(&store, id).await;
    let_pass(&store, id, LEASE * 2).await;
    assert_eq!(store.rescue(10, 3).await.unwrap().len(), 1);
    let taken_over = store.acquire(id, "worker-b", LEASE).await.unwrap().expect("available again");
    assert_eq!((taken_over.fence, taken_over.attempt), (2, 2));

    let held = Held { job_id: id, fence: slept.fence, progress: None };
    assert_eq!(store.renew(&[held], LEASE).await.unwrap(), [], "no answer: lost");
    let mut tx = store.begin().await.unwrap();
    assert!(confirm(&mut tx, &slept).await.is_err());
    drop(tx);
    assert!(finish(&store, &slept, Finish::Completed { result: serde_json::json!(1) }).await.is_err());
    // The new holder is not disturbed.
    let mut tx = store.begin().await.unwrap();
    confirm(&mut tx, &taken_over).await.unwrap();
    drop(tx);
    assert!(finish(&store, &taken_over, Finish::Completed { result: serde_json::json!(2) }).await.is_ok());
}

#[tokio::test]
async fn a_failed_attempt_waits_and_is_counted_until_none_is_left() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &NewJob { attempts_max: 2, ..new_job() }).await;
    let first = acquire(&store, id).await;
    let wait = Duration::from_secs(60);
    assert_eq!(finish(&store, &first, retry_after(wait)).await.unwrap(), JobState::Scheduled);
    assert_eq!(store.stage(10).await.unwrap(), 0, "not due yet");
    let_pass(&store, id, wait * 2).await;
    assert_eq!(store.stage(10).await.unwrap(), 1);
    let last = acquire(&store, id).await;
    assert_eq!(last.attempt, 2);
    assert_eq!(finish(&store, &last, retry_after(wait)).await.unwrap(), JobState::Dead);
    let job = store.job(id).await.unwrap().unwrap();
    assert_eq!(job.error.as_deref(), Some("the other side hung up"));
    assert!(job.finished_at.is_some());
}

#[tokio::test]
async fn snoozes_and_hand_backs_are_not_counted() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    assert_eq!(finish(&store, &lease, Finish::HandedBack).await.unwrap(), JobState::Available);
    assert_eq!(doorbells(&store, id).await, 2, "the one of acceptance and a new one");
    let lease = acquire(&store, id).await;
    assert_eq!((lease.attempt, lease.fence), (1, 2));
    let snooze = Finish::Snooze { wait: Duration::from_secs(1), reason: "no file yet".into() };
    assert_eq!(finish(&store, &lease, snooze).await.unwrap(), JobState::Scheduled);
    assert_eq!(store.job(id).await.unwrap().unwrap().attempt, 0);
    let outcomes: Vec<_> =
        store.attempts(id).await.unwrap().into_iter().map(|a| a.outcome.unwrap()).collect();
    assert_eq!(outcomes, ["handed_back", "snoozed"]);
}

#[tokio::test]
async fn renewal_publishes_progress_and_tells_of_a_wish_to_cancel() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    let progress = JobProgress { phase: "reading".into(), percent: 12.5, rows_done: 5, rows_total: 40 };
    let held = |progress| [Held { job_id: id, fence: lease.fence, progress }];
    let renewed = store.renew(&held(Some(progress.clone())), LEASE).await.unwrap();
    assert!(!renewed[0].cancel_requested);
    assert_eq!(store.job(id).await.unwrap().unwrap().progress.unwrap().0, progress);
    assert_eq!(store.request_cancel(id).await.unwrap(), Some(JobState::Running));
    let renewed = store.renew(&held(None), LEASE).await.unwrap();
    assert!(renewed[0].cancel_requested);
    assert!(store.job(id).await.unwrap().unwrap().progress.is_some(), "no news keeps the old progress");
}

#[tokio::test]
async fn cancelling_ends_a_waiting_job_at_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    assert_eq!(store.request_cancel(id).await.unwrap(), Some(JobState::Cancelled));
    assert!(store.acquire(id, "worker-a", LEASE).await.unwrap().is_none());
    assert_eq!(
        store.request_cancel(id).await.unwrap(),
        Some(JobState::Cancelled),
        "asking again changes nothing"
    );
    assert_eq!(store.request_cancel(JobId::new()).await.unwrap(), None);
}

#[tokio::test]
async fn a_job_to_be_cancelled_does_not_go_back_to_wait() {
    let db = TestDatabase::create().await;
    let store = db.store();
    for ending in [retry_after(Duration::from_secs(1)), Finish::HandedBack, Finish::Cancelled] {
        let id = accept(&store, &new_job()).await;
        let lease = acquire(&store, id).await;
        store.request_cancel(id).await.unwrap();
        assert_eq!(finish(&store, &lease, ending).await.unwrap(), JobState::Cancelled);
    }
    // What was finished before the wish could be heard stays finished.
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    store.request_cancel(id).await.unwrap();
    let done = Finish::Completed { result: serde_json::json!(1) };
    assert_eq!(finish(&store, &lease, done).await.unwrap(), JobState::Completed);
}

#[tokio::test]
async fn a_permanent_failure_is_not_tried_again() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    let lease = acquire(&store, id).await;
    // Whatever a file made the error say.
    let dead = Finish::Dead { error: "the file is no CSV: \0".into() };
    assert_eq!(finish(&store, &lease, dead).await.unwrap(), JobState::Dead);
    assert_eq!(store.job(id).await.unwrap().unwrap().error.as_deref(), Some("the file is no CSV: \u{fffd}"));
    assert_eq!(store.stage(10).await.unwrap() + store.rescue(10, 3).await.unwrap().len() as u64, 0);
}

#[tokio::test]
async fn counts_are_per_queue_and_unfinished_state() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let waiting = accept(&store, &new_job()).await;
    let_pass(&store, waiting, Duration::from_secs(100)).await;
    accept(&store, &new_job()).await;
    acquire(&store, accept(&store, &new_job()).await).await;
    let done = acquire(&store, accept(&store, &new_job()).await).await;
    finish(&store, &done, Finish::Cancelled).await.unwrap();
    let mut counts = store.queue_counts().await.unwrap();
    counts.sort_by_key(|c| c.state);
    let seen: Vec<_> = counts.iter().map(|c| (c.queue.as_str(), c.state, c.jobs)).collect();
    assert_eq!(seen, [("reconciliation", JobState::Available, 2), ("reconciliation", JobState::Running, 1)]);
    assert!((100.0..160.0).contains(&counts[0].oldest_age_s), "{counts:?}");
}
