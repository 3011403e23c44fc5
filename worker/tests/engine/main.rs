//! The engine with a real PostgreSQL, the in-process queue and the real scheduler: bodies that end in every way a
//! body can end.

mod backups;
mod bodies;
mod carry_forward;
mod clean_up;
mod endings;
mod hindrances;
mod stopping;

use bodies::{Probe, TestBody};
use shared::config::Config;
use shared::ids::JobId;
use shared::job::{JobKind, JobState, NewJob, RetryPolicy};
use shared::policy::{KindPolicy, Policies};
use shared::queue::Queue;
use shared::store::Store;
use shared::store::jobs::enqueue;
use shared::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use worker::body::Bodies;
use worker::engine::{Engine, EngineError};

const KIND: JobKind = JobKind::from_static("test");
/// Nothing here takes long; a loaded machine may.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scheduler and one worker that runs [`TestBody`].
struct World {
    store: Store,
    queue: Queue,
    probe: Probe,
    wake: Arc<Notify>,
    scheduler_stop: CancellationToken,
    database: TestDatabase,
}

impl World {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let queue = Queue::in_process(&[KIND.queue()], 1000);
        let world = Self {
            store: database.store(),
            queue,
            probe: Probe::default(),
            wake: Arc::default(),
            scheduler_stop: CancellationToken::new(),
            database,
        };
        let mut config = Config::default();
        config.scheduler.period_ms = 100;
        config.scheduler.ring_again_after_s = 1;
        let (store, queue, wake, stop) =
            (world.store.clone(), world.queue.clone(), world.wake.clone(), world.scheduler_stop.clone());
        tokio::spawn(async move { scheduler::run(&config, store, queue, wake, stop).await });
        world
    }

    fn engine(&self, name: &str) -> Engine {
        self.engine_with_limit(name, PATIENCE)
    }

    fn engine_with_limit(&self, name: &str, time_limit: Duration) -> Engine {
        let retry = RetryPolicy { base: Duration::from_millis(20), ..Default::default() };
        let policy = KindPolicy { retry, ..KindPolicy::default_of(&KIND) };
        let body = TestBody { probe: self.probe.clone(), time_limit };
        Engine {
            name: name.into(),
            // A pool of its own, as another process would have.
            store: self.database.store(),
            queue: self.queue.clone(),
            bodies: Bodies::default().with(body),
            concurrency: 4,
            lease_duration: Duration::from_secs(3),
            drain: PATIENCE,
            policies: Policies::default().with(KIND, policy),
            stuck_after: Duration::from_millis(200),
        }
    }

    /// Starts a worker; the token stops it.
    fn start(&self, engine: Engine) -> (CancellationToken, tokio::task::JoinHandle<Result<(), EngineError>>) {
        let stop = CancellationToken::new();
        let told = stop.clone();
        (stop, tokio::spawn(async move { engine.run(&[KIND], told).await }))
    }

    async fn accept(&self, behaviour: &str) -> JobId {
        let job = NewJob {
            id: JobId::new(),
            kind: KIND,
            project_id: None,
            priority: 5,
            concurrency_key: None,
            args: serde_json::json!({ "behaviour": behaviour }),
            due_at: None,
            attempts_max: 3,
            created_by: None,
            request_id: None,
        };
        let mut tx = self.store.begin().await.unwrap();
        enqueue(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        self.wake.notify_one();
        job.id
    }

    async fn until(&self, id: JobId, state: JobState) {
        let reached = async {
            while self.state(id).await != state {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("job {id} is {}, not {state}: {:?}", self.state(id).await, self.outcomes(id).await);
        }
    }

    async fn state(&self, id: JobId) -> JobState {
        self.store.job(id).await.unwrap().expect("the job exists").state
    }

    /// How each attempt ended, oldest first.
    async fn outcomes(&self, id: JobId) -> Vec<String> {
        let attempts = self.store.attempts(id).await.unwrap();
        attempts.into_iter().map(|a| a.outcome.unwrap_or_else(|| "running".into())).collect()
    }

    async fn error(&self, id: JobId) -> String {
        self.store.job(id).await.unwrap().unwrap().error.unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.scheduler_stop.cancel();
    }
}
