//! Who runs when, with a real PostgreSQL and a real RabbitMQ.

use shared::config::Config;
use shared::ids::{JobId, ProjectId, UserId};
use shared::job::{JobKind, NewJob};
use shared::limits::{ConcurrencyKey, LimitName, LimitScope};
use shared::queue::Queue;
use shared::store::Store;
use shared::store::jobs::{Finish, LeaseAnswer, enqueue, release};
use shared::store::users::NewUser;
use shared::testing::{TestDatabase, amqp_url};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const KIND: JobKind = JobKind::from_static("fairness");
const PATIENCE: Duration = Duration::from_secs(240);

struct World {
    store: Store,
    queue: Queue,
    config: Config,
    stop: CancellationToken,
    schedulers: JoinSet<()>,
    /// Dropped last.
    database: TestDatabase,
}

impl World {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let prefix = format!("fair-{}", &JobId::new().0.simple().to_string()[20..]);
        let queue = Queue::amqp(&amqp_url().into(), &prefix, &[KIND.queue()]).unwrap();
        let mut config = Config::default();
        config.scheduler.relay_period_ms = 20;
        config.scheduler.period_ms = 100;
        let (store, stop) = (database.store(), CancellationToken::new());
        Self { store, queue, config, stop, schedulers: JoinSet::new(), database }
    }

    fn start_schedulers(&mut self, count: usize) {
        for _ in 0..count {
            let (config, store, queue, stop) =
                (self.config.clone(), self.database.store(), self.queue.clone(), self.stop.clone());
            self.schedulers.spawn(async move {
                scheduler::run(&config, store, queue, Arc::new(Notify::new()), stop).await;
            });
        }
    }

    async fn project(&self, name: &str) -> ProjectId {
        let user = NewUser {
            id: UserId::new(),
            email: format!("{name}@example.org"),
            name: name.into(),
            password_hash: "x".into(),
            is_platform_admin: false,
        };
        self.store.insert_user(&user).await.unwrap();
        self.store.create_project(ProjectId::new(), name, user.id).await.unwrap().id
    }

    async fn accept(&self, project_id: ProjectId, jobs: usize, key: Option<&str>) -> Vec<JobId> {
        let mut tx = self.store.begin().await.unwrap();
        let mut ids = vec![];
        for _ in 0..jobs {
            let job = NewJob {
                id: JobId::new(),
                kind: KIND,
                project_id: Some(project_id),
                priority: 5,
                concurrency_key: key.and_then(ConcurrencyKey::parse),
                args: serde_json::json!({}),
                due_at: None,
                attempts_max: 3,
                created_by: None,
                request_id: None,
            };
            enqueue(&mut tx, &job).await.unwrap();
            ids.push(job.id);
        }
        tx.commit().await.unwrap();
        ids
    }

    /// Ends what is running; the test's own folder in the broker goes with it.
    async fn end(mut self) {
        self.stop.cancel();
        while self.schedulers.join_next().await.is_some() {}
        self.queue.purge(&KIND.queue()).await.unwrap();
        self.queue.close().await;
    }
}

async fn finish(store: &Store, lease: &shared::job::Lease) {
    let mut tx = store.begin().await.unwrap();
    release(&mut tx, lease, &Finish::Completed { result: serde_json::json!(1) }).await.unwrap();
    tx.commit().await.unwrap();
}

/// The flood is 10,000 jobs; the other tenant's job comes while it is under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_ten_thousand_delays_another_tenants_job_by_less_than_the_window() {
    let mut world = World::new().await;
    let (flooder, other) = (world.project("flooder").await, world.project("other").await);
    world.accept(flooder, 10_000, None).await;
    world.start_schedulers(2);
    let slots = Arc::new(Semaphore::new(4));
    let mut deliveries = world.queue.consume(KIND.queue(), slots, world.stop.clone());
    let mut ran = 0;
    let mut single = None;
    let before = loop {
        let mut delivery = tokio::time::timeout(PATIENCE, deliveries.recv()).await.unwrap().unwrap();
        let answer = world.store.ask_for_lease(delivery.job_id, "worker", PATIENCE).await.unwrap();
        delivery.ack().await;
        let LeaseAnswer::Leased(lease) = answer else { continue };
        finish(&world.store, &lease).await;
        match single {
            None if ran == 300 => single = Some((ran, world.accept(other, 1, None).await[0])),
            Some((since, id)) if lease.job_id == id => break ran - since,
            _ => {}
        }
        ran += 1;
        assert!(ran < 5000, "the job of the other tenant does not come");
    };
    println!("{before} jobs of the flood ran before it");
    // What is in the broker and in the hands of the relays at that moment; not a part of the 9,700 that wait.
    assert!(before <= 300, "{before}");
    drop(deliveries);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_and_two_relays_keep_to_the_limits_and_finish_everything() {
    let mut world = World::new().await;
    let project = world.project("one").await;
    let name = |scope, name| LimitName::parse(scope, name).unwrap();
    world.store.set_limit(LimitScope::Kind, &name(LimitScope::Kind, "fairness"), 3, "test").await.unwrap();
    for key in [None, Some("backup:a"), Some("backup:b")] {
        world.accept(project, 40, key).await;
    }
    world.start_schedulers(2);
    let (running, running_max, refused) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for n in 0..8 {
        let mut deliveries =
            world.queue.consume(KIND.queue(), Arc::new(Semaphore::new(1)), world.stop.clone());
        let store = world.store.clone();
        let (running, running_max, refused) = (running.clone(), running_max.clone(), refused.clone());
        workers.spawn(async move {
            while let Some(mut delivery) = deliveries.recv().await {
                let answer =
                    store.ask_for_lease(delivery.job_id, &format!("worker-{n}"), PATIENCE).await.unwrap();
                delivery.ack().await;
                match answer {
                    LeaseAnswer::Leased(lease) => {
                        running_max.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        finish(&store, &lease).await;
                    }
                    LeaseAnswer::Hindered(_) => {
                        refused.fetch_add(1, Ordering::SeqCst);
                    }
                    LeaseAnswer::Gone => {}
                }
            }
        });
    }
    let store = world.store.clone();
    let done = async {
        loop {
            let (running, keyed, left): (i64, i64, i64) = sqlx::query_as(
                "SELECT count(*) FILTER (WHERE state = 'running'),
                        coalesce(max(of_key), 0)::bigint, count(*) FILTER (WHERE state <> 'completed')
                 FROM jobs LEFT JOIN (SELECT concurrency_key, count(*) AS of_key FROM jobs
                                      WHERE state = 'running' GROUP BY 1) AS k USING (concurrency_key)",
            )
            .fetch_one(store.pool())
            .await
            .unwrap();
            assert!(running <= 3 && keyed <= 1, "{running} {keyed}");
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("everything is done");
    let (most, refused) = (running_max.load(Ordering::SeqCst), refused.load(Ordering::SeqCst));
    println!("at most {most} at once, {refused} doorbells refused for 120 jobs");
    assert!(most <= 3);
    // The relays leave alone what could not run: refusals come from two of them choosing at the same moment.
    assert!(refused <= 120, "{refused}");
    world.stop.cancel();
    while workers.join_next().await.is_some() {}
    world.end().await;
}
