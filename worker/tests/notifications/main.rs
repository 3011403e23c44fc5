//! Notifications from the transaction in which something happened to a real receiver: PostgreSQL, the in-process queue,
//! the real scheduler and worker; SMTP and HTTP over loopback, down and then up.

mod backups;
mod looks;
mod mail;
mod people;
mod services;
mod webhooks;

use secrecy::SecretString;
use shared::config::Config;
use shared::ids::{ProjectId, UserId};
use shared::job::JobKind;
use shared::objects::Objects;
use shared::queue::Queue;
use shared::store::Store;
use shared::testing::TestDatabase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use worker::engine::{Engine, EngineError};

const PATIENCE: Duration = Duration::from_secs(60);
const KINDS: [JobKind; 3] = [JobKind::EMAIL, JobKind::WEBHOOK, JobKind::NOTIFICATION];
pub const SEALING_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A scheduler and a worker that have these settings.
struct World {
    store: Store,
    stop: CancellationToken,
    _objects: tempfile::TempDir,
    running: Option<tokio::task::JoinHandle<Result<(), EngineError>>>,
    // Last.
    _database: TestDatabase,
}

impl World {
    async fn start(configure: impl FnOnce(&mut Config)) -> Self {
        // As the executable does before anything else.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let database = TestDatabase::create().await;
        let store = database.store();
        let mut config = Config::default();
        config.scheduler.period_ms = 100;
        config.scheduler.relay_period_ms = 20;
        config.auth.sealing_key = Some(SecretString::from(SEALING_KEY));
        for kind in KINDS {
            let settings = config.kinds.entry(kind.to_string()).or_default();
            (settings.retry_base_ms, settings.retry_cap_s) = (Some(50), Some(1));
        }
        configure(&mut config);
        let queue = Queue::in_process(&KINDS.map(|kind| kind.queue()), 1000);
        let stop = CancellationToken::new();
        let objects = tempfile::tempdir().unwrap();
        let engine = Engine {
            name: "worker-a".into(),
            store: database.store(),
            queue: queue.clone(),
            bodies: worker::kinds::all(
                &config,
                Objects::local_disk(objects.path().into()).unwrap(),
                &worker::backups::Backups::new(&config.backup, database.store()),
            )
            .unwrap(),
            concurrency: 4,
            lease_duration: Duration::from_secs(30),
            drain: PATIENCE,
            policies: config.policies(),
            stuck_after: PATIENCE,
        };
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(&KINDS, stop).await }
        });
        let wake = Arc::new(Notify::new());
        tokio::spawn({
            let (store, stop) = (store.clone(), stop.clone());
            async move { scheduler::run(&config, store, queue, wake, stop).await }
        });
        Self { store, stop, _objects: objects, running: Some(running), _database: database }
    }

    /// A person, and perhaps an administrator of the platform.
    async fn person(&self, name: &str, is_admin: bool) -> UserId {
        let id = UserId::new();
        sqlx::query(
            "INSERT INTO users (id, email, name, password_hash, is_platform_admin) VALUES ($1, $2, $3, 'x', $4)",
        )
        .bind(id)
        .bind(format!("{name}@example.org"))
        .bind(name)
        .bind(is_admin)
        .execute(self.store.pool())
        .await
        .unwrap();
        id
    }

    async fn project(&self, owner: UserId) -> ProjectId {
        let id = ProjectId::new();
        let mut tx = self.store.begin().await.unwrap();
        shared::store::projects::create(&mut tx, id, "Books", owner, None).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Looks until the query says so.
    async fn until(&self, what: &str, query: &'static str) {
        let reached = async {
            while !sqlx::query_scalar::<_, bool>(query).fetch_one(self.store.pool()).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            let seen: Vec<String> = sqlx::query_scalar(
                "SELECT d::text FROM deliveries d UNION ALL SELECT (n.event, n.addressed_at)::text FROM notifications n
                 UNION ALL SELECT (kind, state, attempt, error)::text FROM jobs",
            )
            .fetch_all(self.store.pool())
            .await
            .unwrap();
            panic!("never: {what}\n{}", seen.join("\n"));
        }
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.store.pool()).await.unwrap()
    }

    async fn stop(mut self) {
        self.stop.cancel();
        self.running.take().unwrap().await.unwrap().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
