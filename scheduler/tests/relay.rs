//! The scheduler as a whole, with a real PostgreSQL and the in-process queue.

use shared::config::Config;
use shared::ids::JobId;
use shared::job::{JobKind, NewJob};
use shared::queue::{InProcessQueue, Queue, Trouble};
use shared::store::Store;
use shared::store::jobs::enqueue;
use shared::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const KIND: JobKind = JobKind::from_static("test");
const PATIENCE: Duration = Duration::from_secs(60);

fn config(relay_window: u64) -> Config {
    let mut config = Config::default();
    config.scheduler.relay_window = relay_window;
    config.scheduler.relay_window_min = relay_window;
    config.scheduler.relay_period_ms = 20;
    config.scheduler.period_ms = 100;
    config.scheduler.ring_again_after_s = 1;
    config
}

fn start(config: Config, store: &Store, queue: &Queue) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let (store, queue, told) = (store.clone(), queue.clone(), stop.clone());
    let running =
        tokio::spawn(
            async move { scheduler::run(&config, store, queue, Arc::new(Notify::new()), told).await },
        );
    (stop, running)
}

async fn accept(store: &Store, priority: u8) -> JobId {
    let job = NewJob {
        id: JobId::new(),
        kind: KIND,
        project_id: None,
        priority,
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
    job.id
}

async fn until<Fut: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> Fut) {
    let waiting = async {
        while !reached().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn depth(queue: &Queue) -> u64 {
    queue.depth(&KIND.queue()).await.unwrap()
}

async fn waiting(store: &Store) -> i64 {
    store.outbox_lag().await.unwrap().doorbells
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_stays_in_postgres_where_priority_still_decides() {
    let db = TestDatabase::create().await;
    let (store, queue) = (db.store(), Queue::in_process(&[KIND.queue()], 1000));
    for _ in 0..20 {
        accept(&store, 1).await;
    }
    let (stop, running) = start(config(5), &store, &queue);
    until("the window is full", async || depth(&queue).await == 5).await;
    let urgent = accept(&store, 9).await;
    assert_eq!(depth(&queue).await, 5);
    assert_eq!(waiting(&store).await, 16);

    // Behind the five that are out already comes the urgent one, before fifteen older ones.
    let slots = Arc::new(Semaphore::new(1));
    let mut deliveries = queue.consume(KIND.queue(), slots, stop.clone());
    let mut order = vec![];
    for _ in 0..8 {
        let mut delivery = tokio::time::timeout(PATIENCE, deliveries.recv()).await.unwrap().unwrap();
        assert!(delivery.ack().await);
        order.push(delivery.job_id);
    }
    let place = order.iter().position(|&id| id == urgent).expect("the urgent job was delivered");
    assert!((5..=6).contains(&place), "{place} of {order:?}");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_schedulers_ring_once_for_each_job() {
    let db = TestDatabase::create().await;
    let (store, queue) = (db.store(), Queue::in_process(&[KIND.queue()], 10_000));
    let mut quiet = config(10_000);
    quiet.scheduler.ring_again_after_s = 3600;
    let schedulers: Vec<_> = (0..3).map(|_| start(quiet.clone(), &db.store(), &queue)).collect();
    for _ in 0..200 {
        accept(&store, 5).await;
    }
    until("the outbox is empty", async || waiting(&store).await == 0).await;
    assert_eq!(depth(&queue).await, 200);
    for (stop, running) in schedulers {
        stop.cancel();
        tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doorbells_that_the_queue_loses_are_rung_again_until_every_job_was_delivered() {
    let db = TestDatabase::create().await;
    let trouble = Trouble { drop: 0.5, duplicate: 0.3, ..Trouble::default() };
    let queue = Queue::InProcess(InProcessQueue::new(&[KIND.queue()], 10_000, trouble));
    let store = db.store();
    let mut missing = std::collections::HashSet::new();
    for _ in 0..50 {
        missing.insert(accept(&store, 5).await);
    }
    let (stop, running) = start(config(10_000), &store, &queue);
    let mut deliveries = queue.consume(KIND.queue(), Arc::new(Semaphore::new(8)), stop.clone());
    let all = async {
        while !missing.is_empty() {
            let mut delivery = deliveries.recv().await.expect("not stopped");
            delivery.ack().await;
            if store.acquire(delivery.job_id, "worker-a", PATIENCE).await.unwrap().is_some() {
                assert!(missing.remove(&delivery.job_id), "leased once");
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("no job is forgotten");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_finished_and_followed_and_the_books_are_checked() {
    use shared::store::batches::{Completion, NewBatch, enqueue_batch};
    let db = TestDatabase::create().await;
    let (store, queue) = (db.store(), Queue::in_process(&[KIND.queue()], 1000));
    let follows = JobId::new();
    let completion = Completion {
        id: follows,
        kind: KIND,
        priority: 5,
        args: serde_json::json!({}),
        attempts_max: 1,
        reconciliation: None,
    };
    let batch = NewBatch {
        id: Default::default(),
        project_id: None,
        name: "a batch".into(),
        completion: Some(completion),
        created_by: None,
        request_id: None,
    };
    let job = NewJob {
        id: JobId::new(),
        kind: KIND,
        project_id: None,
        concurrency_key: None,
        priority: 5,
        args: serde_json::json!({}),
        due_at: None,
        attempts_max: 3,
        created_by: None,
        request_id: None,
    };
    let mut tx = store.begin().await.unwrap();
    enqueue_batch(&mut tx, &batch, std::slice::from_ref(&job)).await.unwrap();
    tx.commit().await.unwrap();
    let schedulers: Vec<_> = (0..2).map(|_| start(config(100), &db.store(), &queue)).collect();
    store.request_cancel(job.id).await.unwrap();
    // Its doorbell comes without anybody asking: the relay was told.
    let mut deliveries = queue.consume(KIND.queue(), Arc::new(Semaphore::new(4)), schedulers[0].0.clone());
    let rung = async {
        loop {
            let mut delivery = deliveries.recv().await.expect("not stopped");
            delivery.ack().await;
            if delivery.job_id == follows {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, rung).await.expect("what follows the batch is rung for");
    assert!(store.batch(batch.id).await.unwrap().unwrap().finished_at.is_some());
    // The accountant has looked at least once: it folds the ledger into one line.
    until("the books are folded", async || {
        let lines: i64 =
            sqlx::query_scalar("SELECT count(*) FROM job_ledger").fetch_one(store.pool()).await.unwrap();
        lines <= 3
    })
    .await;
    let balance = store.job_balance().await.unwrap();
    assert_eq!((balance.accepted, balance.unaccounted()), (2, 0));
    for (stop, running) in schedulers {
        stop.cancel();
        tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
    }
}
