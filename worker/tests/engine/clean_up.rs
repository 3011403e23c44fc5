//! The clean-up job: what it removes, and what it must leave alone.

use crate::PATIENCE;
use shared::config::Config;
use shared::ids::JobId;
use shared::job::{JobKind, JobState, NewJob};
use shared::objects::Objects;
use shared::policy::Policies;
use shared::queue::{Doorbell, Queue};
use shared::store::jobs::enqueue;
use shared::testing::TestDatabase;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use worker::backups::Backups;
use worker::engine::Engine;
use worker::kinds;

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_removes_what_is_past_its_retention_and_tells_how_much() {
    let db = TestDatabase::create().await;
    let store = db.store();
    // More than one step, so that it goes on; no scheduler runs, whose pruner would be first.
    sqlx::query(
        "INSERT INTO jobs (id, kind, queue, state, priority, args, attempts_max, finished_at)
         SELECT gen_random_uuid(), 'test', 'test', 'completed', 5, '{}', 1,
                now() - CASE WHEN n <= 2500 THEN interval '401 days' ELSE interval '399 days' END
         FROM generate_series(1, 2510) AS n",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let job = NewJob {
        id: JobId::new(),
        kind: JobKind::CLEAN_UP,
        project_id: None,
        priority: 5,
        concurrency_key: None,
        args: serde_json::json!({}),
        due_at: None,
        attempts_max: 3,
        created_by: None,
        request_id: None,
    };
    let mut tx = store.begin().await.unwrap();
    enqueue(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();

    let queue = Queue::in_process(&[JobKind::CLEAN_UP.queue()], 10);
    let (queue_name, priority) = (JobKind::CLEAN_UP.queue(), job.priority);
    let doorbell = Doorbell { outbox_id: 1, queue: queue_name, job_id: job.id, priority, trace: None };
    queue.publish(&[doorbell]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine {
        name: "worker-a".into(),
        store: db.store(),
        queue,
        bodies: kinds::all(
            &Config::default(),
            Objects::local_disk(folder.path().into()).unwrap(),
            &Backups::new(&Config::default().backup, store.clone()),
        )
        .unwrap(),
        concurrency: 1,
        lease_duration: Duration::from_secs(30),
        drain: PATIENCE,
        policies: Policies::default(),
        stuck_after: PATIENCE,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(&[JobKind::CLEAN_UP], stop).await }
    });
    let done = async {
        while store.job(job.id).await.unwrap().unwrap().state != JobState::Completed {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("it completes");
    let result: serde_json::Value = sqlx::query_scalar("SELECT result FROM jobs WHERE id = $1")
        .bind(job.id)
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(
        result,
        serde_json::json!({
            "jobs": 2500, "batches": 0, "idempotency_keys": 0, "schedule_ticks": 0, "workers": 0,
            "identity": 0, "notifications": 0, "partitions": [],
        })
    );
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(store.pool()).await.unwrap();
    assert_eq!(left, 11, "those within their retention, and itself");
    stop.cancel();
    running.await.unwrap().unwrap();
}
