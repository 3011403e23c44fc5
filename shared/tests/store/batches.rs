//! Batches: fan out, fan in, once.

use super::*;
use shared::ids::BatchId;
use shared::store::batches::{BatchView, Completion, NewBatch, enqueue_batch};
use shared::store::jobs::Asker;
use shared::testing::TestDatabase;

fn new_batch(completion: Option<Completion>) -> NewBatch {
    NewBatch {
        id: BatchId::new(),
        project_id: None,
        name: "January".into(),
        completion,
        created_by: None,
        request_id: Some("request-1".into()),
    }
}

fn completion() -> Completion {
    Completion {
        id: JobId::new(),
        kind: JobKind::from_static("report"),
        priority: 7,
        args: serde_json::json!({ "v": 1 }),
        attempts_max: 2,
        reconciliation: None,
    }
}

async fn accept_batch(store: &Store, batch: &NewBatch, jobs: usize) -> Vec<JobId> {
    let jobs: Vec<NewJob> = (0..jobs).map(|_| new_job()).collect();
    let mut tx = store.begin().await.unwrap();
    enqueue_batch(&mut tx, batch, &jobs).await.unwrap();
    tx.commit().await.unwrap();
    jobs.into_iter().map(|job| job.id).collect()
}

async fn seen(store: &Store, id: BatchId) -> BatchView {
    store.batch(id).await.unwrap().expect("the batch exists")
}

fn adds_up(view: &BatchView) -> bool {
    view.scheduled + view.available + view.running + view.completed + view.cancelled + view.dead
        == i64::from(view.jobs)
}

#[tokio::test]
async fn the_completion_job_comes_when_all_are_final_and_once() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let follows = completion();
    let batch = new_batch(Some(follows.clone()));
    let ids = accept_batch(&store, &batch, 12).await;
    assert_eq!(doorbells(&store, ids[3]).await, 1);

    // Twelve finish at once, each with another end, while four look for finished batches all the time.
    let ending = |n: usize| match n % 3 {
        0 => Finish::Completed { result: serde_json::json!(n) },
        1 => Finish::Dead { error: "no".into() },
        _ => Finish::Cancelled,
    };
    let running = ids.iter().enumerate().map(|(n, id)| {
        let (store, id) = (store.clone(), *id);
        async move {
            let lease = acquire(&store, id).await;
            finish(&store, &lease, ending(n)).await.unwrap();
        }
    });
    let looking = (0..4).map(|_| {
        let store = store.clone();
        async move {
            let mut finished = vec![];
            for _ in 0..60 {
                finished.extend(store.finish_batches(10).await.unwrap());
            }
            finished
        }
    });
    let (_, found) =
        tokio::join!(futures_util::future::join_all(running), futures_util::future::join_all(looking));
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.extend(store.finish_batches(10).await.unwrap());
    assert_eq!(found.len(), 1, "finished once: {found:?}");
    assert_eq!(found[0].completion_job_id, Some(follows.id));
    let job = store.job(follows.id).await.unwrap().expect("accepted now");
    assert_eq!((job.state, job.priority, job.attempts_max), (JobState::Available, 7, 2));
    assert_eq!(job.request_id.as_deref(), Some("request-1"));
    assert_eq!(doorbells(&store, follows.id).await, 1);
    let view = seen(&store, batch.id).await;
    assert_eq!((view.completed, view.dead, view.cancelled), (4, 4, 4));
    assert!(view.finished_at.is_some() && adds_up(&view));
    assert_eq!(store.job_balance().await.unwrap().unaccounted(), 0);
}

#[tokio::test]
async fn an_unfinished_batch_waits_and_counts_its_jobs() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let batch = new_batch(Some(completion()));
    let ids = accept_batch(&store, &batch, 3).await;
    let lease = acquire(&store, ids[0]).await;
    finish(&store, &lease, retry_after(Duration::from_secs(60))).await.unwrap();
    acquire(&store, ids[1]).await;
    assert!(store.finish_batches(10).await.unwrap().is_empty());
    let view = seen(&store, batch.id).await;
    assert_eq!((view.scheduled, view.running, view.available), (1, 1, 1));
    assert!(view.finished_at.is_none() && adds_up(&view));
}

#[tokio::test]
async fn a_cancelled_batch_ends_and_what_follows_still_follows() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let follows = completion();
    let batch = new_batch(Some(follows.clone()));
    let ids = accept_batch(&store, &batch, 3).await;
    let other = accept_batch(&store, &new_batch(None), 1).await;
    let lease = acquire(&store, ids[0]).await;
    let done = store.cancel_batch(batch.id, &Asker::System).await.unwrap().expect("there is one");
    assert_eq!((done.matched, done.changed), (3, 3));
    assert!(store.finish_batches(10).await.unwrap().is_empty(), "one runs still");
    finish(&store, &lease, Finish::Cancelled).await.unwrap();
    assert_eq!(store.finish_batches(10).await.unwrap().len(), 1);
    assert_eq!(state(&store, follows.id).await, JobState::Available);
    assert_eq!(state(&store, other[0]).await, JobState::Available, "another batch is left alone");
    assert!(store.cancel_batch(BatchId::new(), &Asker::System).await.unwrap().is_none());
}

#[tokio::test]
async fn an_empty_batch_and_one_too_large_are_refused_whole() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let mut tx = store.begin().await.unwrap();
    let refused = enqueue_batch(&mut tx, &new_batch(None), &[]).await.expect_err("empty");
    assert_eq!(refused.constraint(), Some("batches_jobs_range"));
}

#[tokio::test]
async fn batches_are_pruned_after_their_jobs() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let batch = new_batch(None);
    let ids = accept_batch(&store, &batch, 2).await;
    for id in &ids {
        store.request_cancel(*id).await.unwrap();
    }
    store.finish_batches(10).await.unwrap();
    let day = Duration::from_secs(86_400);
    sqlx::query("UPDATE batches SET finished_at = finished_at - interval '30 days'")
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(store.prune_batches(day, 10).await.unwrap(), 0, "its jobs are there still");
    for id in ids {
        let_pass(&store, id, day * 30).await;
    }
    assert_eq!(store.prune_jobs(day, 10).await.unwrap(), 2);
    assert_eq!(store.prune_batches(day * 60, 10).await.unwrap(), 0, "not yet");
    assert_eq!(store.prune_batches(day, 10).await.unwrap(), 1);
}
