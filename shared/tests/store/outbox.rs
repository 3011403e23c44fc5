//! The outbox, as the relay sees it.

use super::*;
use shared::job::JobKind;
use shared::store::outbox::Lane;
use shared::testing::TestDatabase;

fn lane(priority: u8) -> Lane {
    Lane { priority, project_id: None, key: None }
}

#[tokio::test]
async fn doorbells_come_by_lane_then_age_and_go_when_confirmed() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let queue = JobKind::RECONCILIATION.queue();
    let low = accept(&store, &NewJob { priority: 1, ..new_job() }).await;
    let first = accept(&store, &NewJob { priority: 7, ..new_job() }).await;
    let second = accept(&store, &NewJob { priority: 7, ..new_job() }).await;
    assert_eq!(store.outbox_queues().await.unwrap(), std::slice::from_ref(&queue));
    assert_eq!(store.outbox_lag().await.unwrap().doorbells, 3);

    let wanted = [(lane(7), 10), (lane(1), 10)];
    let batch = store.take_doorbells(&queue, &wanted).await.unwrap();
    let order: Vec<(usize, JobId)> = batch.doorbells.iter().map(|(wanted, d)| (*wanted, d.job_id)).collect();
    assert_eq!(order, [(0, first), (0, second), (1, low)]);
    let confirmed: Vec<i64> = batch.doorbells[..2].iter().map(|(_, d)| d.outbox_id).collect();
    batch.confirm(&confirmed).await.unwrap();

    let rest = store.take_doorbells(&queue, &wanted).await.unwrap();
    assert_eq!(rest.doorbells.iter().map(|(_, d)| d.job_id).collect::<Vec<_>>(), [low]);
}

#[tokio::test]
async fn two_relays_never_hold_the_same_doorbell_and_a_dropped_batch_is_free_again() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let queue = JobKind::RECONCILIATION.queue();
    for _ in 0..3 {
        accept(&store, &new_job()).await;
    }
    let one = store.take_doorbells(&queue, &[(lane(5), 2)]).await.unwrap();
    let other = store.take_doorbells(&queue, &[(lane(5), 10)]).await.unwrap();
    assert_eq!((one.doorbells.len(), other.doorbells.len()), (2, 1));
    drop((one, other));
    // The rollbacks of the dropped batches run when their connections are used next.
    for _ in 0..100 {
        let batch = store.take_doorbells(&queue, &[(lane(5), 10)]).await.unwrap();
        if batch.doorbells.len() == 3 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("dropped doorbells stay locked");
}

#[tokio::test]
async fn every_queue_with_doorbells_is_found() {
    let db = TestDatabase::create().await;
    let store = db.store();
    assert!(store.outbox_queues().await.unwrap().is_empty());
    for kind in ["alpha", "beta", "gamma"] {
        for _ in 0..3 {
            accept(&store, &NewJob { kind: JobKind::parse(kind).unwrap(), ..new_job() }).await;
        }
    }
    let names: Vec<String> =
        store.outbox_queues().await.unwrap().iter().map(|q| q.as_str().to_owned()).collect();
    assert_eq!(names, ["alpha", "beta", "gamma"]);
}
