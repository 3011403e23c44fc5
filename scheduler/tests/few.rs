//! The short way of the relay, and processes that ring for what they have committed themselves.

use shared::config::Config;
use shared::ids::JobId;
use shared::job::{JobKind, NewJob};
use shared::limits::{LimitName, LimitScope};
use shared::queue::Queue;
use shared::store::Store;
use shared::store::jobs::enqueue;
use shared::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const KIND: JobKind = JobKind::from_static("test");
const OTHER: JobKind = JobKind::from_static("other");
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that accepts jobs, without a scheduler, and one that hears what it tells.
struct Accepting {
    store: Store,
    queue: Queue,
    committed: Arc<Notify>,
    heard: Arc<Notify>,
    stop: CancellationToken,
    running: Vec<JoinHandle<()>>,
}

impl Accepting {
    async fn start(store: Store, queue: Queue) -> Self {
        let (committed, heard, stop) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
        let ringing = tokio::spawn({
            let (store, queue, committed, stop) =
                (store.clone(), queue.clone(), committed.clone(), stop.clone());
            async move { scheduler::ring_own(&Config::default(), store, queue, committed, stop).await }
        });
        let listening = tokio::spawn(store.clone().listen_for_doorbells(heard.clone(), stop.clone()));
        // It rings once when it begins to listen.
        tokio::time::timeout(PATIENCE, heard.notified()).await.expect("it listens");
        Self { store, queue, committed, heard, stop, running: vec![ringing, listening] }
    }

    async fn accept(&self, jobs: &[NewJob]) {
        let mut tx = self.store.begin().await.unwrap();
        for job in jobs {
            enqueue(&mut tx, job).await.unwrap();
        }
        tx.commit().await.unwrap();
        self.committed.notify_one();
    }

    async fn waiting(&self) -> i64 {
        self.store.outbox_lag().await.unwrap().doorbells
    }

    async fn until_waiting(&self, doorbells: i64) {
        let reached = async {
            while self.waiting().await != doorbells {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never {doorbells} waiting"));
    }

    async fn until_told(&self) {
        tokio::time::timeout(PATIENCE, self.heard.notified()).await.expect("others are told");
    }

    async fn end(self) {
        self.stop.cancel();
        for running in self.running {
            tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap();
        }
    }
}

fn job(kind: JobKind, priority: u8) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind,
        project_id: None,
        concurrency_key: None,
        priority,
        args: serde_json::json!({}),
        due_at: None,
        attempts_max: 3,
        created_by: None,
        request_id: None,
    }
}

fn queue() -> Queue {
    Queue::in_process(&[KIND.queue(), OTHER.queue()], 1000)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_commits_rings_without_a_scheduler_the_highest_priority_first() {
    let db = TestDatabase::create().await;
    let accepting = Accepting::start(db.store(), queue()).await;
    let accepted: Vec<NewJob> = [1, 9, 5].map(|priority| job(KIND, priority)).into();
    let other = job(OTHER, 3);
    let mut all = accepted.clone();
    all.push(other.clone());
    accepting.accept(&all).await;
    accepting.until_waiting(0).await;

    let mut deliveries =
        accepting.queue.consume(KIND.queue(), Arc::new(Semaphore::new(1)), accepting.stop.clone());
    let mut order = vec![];
    for _ in 0..3 {
        let mut delivery = tokio::time::timeout(PATIENCE, deliveries.recv()).await.unwrap().unwrap();
        assert!(delivery.ack().await);
        order.push(delivery.job_id);
    }
    assert_eq!(order, [accepted[1].id, accepted[2].id, accepted[0].id]);
    assert_eq!(accepting.queue.depth(&OTHER.queue()).await.unwrap(), 1);
    accepting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_a_few_is_left_to_the_relays_elsewhere_which_are_told() {
    let db = TestDatabase::create().await;
    let accepting = Accepting::start(db.store(), queue()).await;
    let flood: Vec<NewJob> = (0..40).map(|_| job(KIND, 5)).collect();
    accepting.accept(&flood).await;
    accepting.until_told().await;
    assert_eq!((accepting.waiting().await, accepting.queue.depth(&KIND.queue()).await.unwrap()), (40, 0));
    // Another queue is rung for all the same.
    accepting.accept(&[job(OTHER, 5)]).await;
    accepting.until_waiting(40).await;
    assert_eq!(accepting.queue.depth(&OTHER.queue()).await.unwrap(), 1);
    accepting.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_under_a_limit_are_left_to_those_who_count() {
    let db = TestDatabase::create().await;
    let accepting = Accepting::start(db.store(), queue()).await;
    let name = LimitName::parse(LimitScope::Kind, KIND.as_str()).unwrap();
    accepting.store.set_limit(LimitScope::Kind, &name, 1, "test").await.unwrap();
    accepting.accept(&[job(KIND, 5)]).await;
    accepting.until_told().await;
    assert_eq!((accepting.waiting().await, accepting.queue.depth(&KIND.queue()).await.unwrap()), (1, 0));
    accepting.end().await;
}

/// Nobody takes anything: the smallest window is filled, and the rest stays where priority still decides.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_smallest_window_is_rung_for() {
    let db = TestDatabase::create().await;
    let accepting = Accepting::start(db.store(), queue()).await;
    let window = Config::default().scheduler.relay_window_min;
    for n in 1..=window {
        accepting.accept(&[job(KIND, 5)]).await;
        accepting.until_waiting(0).await;
        assert_eq!(accepting.queue.depth(&KIND.queue()).await.unwrap(), n);
    }
    accepting.accept(&[job(KIND, 9)]).await;
    accepting.until_told().await;
    assert_eq!((accepting.waiting().await, accepting.queue.depth(&KIND.queue()).await.unwrap()), (1, window));
    accepting.end().await;
}
