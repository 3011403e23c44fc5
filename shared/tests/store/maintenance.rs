//! Stager, rescuer, ringing again, pruner: what they take, and what they must leave alone.

use super::*;
use shared::store::jobs::{Asker, HistoryEvent};
use shared::testing::TestDatabase;

#[tokio::test]
async fn rescuer_takes_expired_leases_and_leaves_the_rest_alone() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let expired = accept(&store, &new_job()).await;
    acquire(&store, expired).await;
    let_pass(&store, expired, LEASE * 2).await;
    let last = accept(&store, &NewJob { attempts_max: 1, ..new_job() }).await;
    acquire(&store, last).await;
    let_pass(&store, last, LEASE * 2).await;
    let unwanted = accept(&store, &new_job()).await;
    acquire(&store, unwanted).await;
    store.request_cancel(unwanted).await.unwrap();
    let_pass(&store, unwanted, LEASE * 2).await;

    let running = accept(&store, &new_job()).await;
    let renewed = acquire(&store, running).await;
    let waiting = accept(&store, &new_job()).await;
    let done = accept(&store, &new_job()).await;
    let lease = acquire(&store, done).await;
    finish(&store, &lease, Finish::Completed { result: serde_json::json!(1) }).await.unwrap();

    let mut rescued = store.rescue(10, 3).await.unwrap();
    rescued.sort_by_key(|r| r.id);
    let seen: Vec<_> = rescued.iter().map(|r| (r.id, r.state)).collect();
    let expected = [(expired, JobState::Available), (last, JobState::Dead), (unwanted, JobState::Cancelled)];
    assert_eq!(seen, expected);
    assert!(rescued.iter().all(|r| r.worker == "worker-a"));
    for (id, expected) in
        [(running, JobState::Running), (waiting, JobState::Available), (done, JobState::Completed)]
    {
        assert_eq!(state(&store, id).await, expected);
    }
    assert_eq!(doorbells(&store, expired).await, 2, "rung for the next attempt");
    let attempts = store.attempts(expired).await.unwrap();
    assert_eq!(attempts[0].outcome.as_deref(), Some("lease_expired"));
    assert!(attempts[0].error.as_deref().unwrap().contains("worker-a"));
    assert!(finish(&store, &renewed, Finish::Cancelled).await.is_ok());
}

#[tokio::test]
async fn many_maintainers_at_once_do_the_work_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut ids = vec![];
    for _ in 0..20 {
        let due_at = Some(chrono::Utc::now() + chrono::TimeDelta::hours(1));
        let id = accept(&store, &NewJob { due_at, ..new_job() }).await;
        let_pass(&store, id, Duration::from_secs(7200)).await;
        ids.push(id);
    }
    let staged = futures_util::future::join_all((0..4).map(|_| store.stage(7))).await;
    let first_round: u64 = staged.into_iter().map(Result::unwrap).sum();
    let rest = store.stage(100).await.unwrap();
    assert_eq!(first_round + rest, 20);
    for id in ids {
        assert_eq!(doorbells(&store, id).await, 1);
    }
}

#[tokio::test]
async fn a_job_nobody_took_is_rung_again_unless_its_doorbell_still_waits() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let (after, long) = (Duration::from_secs(60), Duration::from_secs(120));
    let lost = accept(&store, &new_job()).await;
    let waits_in_outbox = accept(&store, &new_job()).await;
    let fresh = accept(&store, &new_job()).await;
    let running = accept(&store, &new_job()).await;
    acquire(&store, running).await;
    for id in [lost, waits_in_outbox] {
        let_pass(&store, id, long).await;
    }
    sqlx::query("DELETE FROM outbox WHERE job_id <> $1")
        .bind(waits_in_outbox)
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(store.ring_again(after, 10).await.unwrap(), 1);
    assert_eq!(doorbells(&store, lost).await, 1);
    assert_eq!(doorbells(&store, fresh).await, 0);
    assert_eq!(doorbells(&store, running).await, 0);
    sqlx::query("DELETE FROM outbox").execute(store.pool()).await.unwrap();
    assert_eq!(store.ring_again(after, 10).await.unwrap(), 1, "the other one; the first was just rung");
}

#[tokio::test]
async fn pruner_deletes_finished_jobs_after_their_retention_only() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let day = Duration::from_secs(86_400);
    let old = accept(&store, &new_job()).await;
    let recent = accept(&store, &new_job()).await;
    for id in [old, recent] {
        let lease = acquire(&store, id).await;
        finish(&store, &lease, Finish::Cancelled).await.unwrap();
    }
    let unfinished = accept(&store, &new_job()).await;
    let_pass(&store, unfinished, day * 30).await;
    let_pass(&store, old, day * 30).await;
    assert_eq!(store.prune_jobs(day * 10, 100).await.unwrap(), 1);
    assert!(store.job(old).await.unwrap().is_none());
    let balance = store.job_balance().await.unwrap();
    assert_eq!((balance.accepted, balance.removed, balance.unaccounted()), (3, 1, 0));
    assert!(store.attempts(old).await.unwrap().is_empty());
    assert!(store.job(recent).await.unwrap().is_some() && store.job(unfinished).await.unwrap().is_some());
}

#[tokio::test]
async fn a_job_that_seems_to_kill_its_workers_is_dead_after_three_of_them() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let poison = accept(&store, &NewJob { attempts_max: 20, ..new_job() }).await;
    let unlucky = accept(&store, &NewJob { attempts_max: 20, ..new_job() }).await;
    let mut ended = vec![];
    for round in 1..=3 {
        for id in [poison, unlucky] {
            let lease = acquire(&store, id).await;
            if id == unlucky && round == 2 {
                // One attempt that ends by its own worker's hand begins the count anew.
                finish(&store, &lease, Finish::HandedBack).await.unwrap();
            } else {
                let_pass(&store, id, LEASE * 2).await;
            }
        }
        for rescued in store.rescue(10, 3).await.unwrap() {
            ended.push((round, rescued.id == poison, rescued.state));
        }
    }
    ended.sort();
    use JobState::{Available, Dead};
    let expected = [
        (1, false, Available),
        (1, true, Available),
        (2, true, Available),
        (3, false, Available),
        (3, true, Dead),
    ];
    assert_eq!(ended, expected);
    let error = store.job(poison).await.unwrap().unwrap().error.unwrap();
    assert!(error.contains("the workers of the 2 leases before"), "{error}");

    // Re-driven, it has all three chances again.
    store.redrive_job(poison, &Asker::System).await.unwrap();
    let mut ended = vec![];
    for _ in 1..=3 {
        acquire(&store, poison).await;
        let_pass(&store, poison, LEASE * 2).await;
        let rescued = store.rescue(10, 3).await.unwrap();
        ended.extend(rescued.iter().filter(|rescued| rescued.id == poison).map(|rescued| rescued.state));
    }
    assert_eq!(ended, [Available, Available, Dead]);
    // Its history names no lease for it.
    let (_, _, history) = store.job_with_history(poison).await.unwrap().unwrap();
    let redriven = history.iter().find(|event| event.event == HistoryEvent::ReDriven).unwrap();
    assert_eq!(redriven.fence, None);
}
