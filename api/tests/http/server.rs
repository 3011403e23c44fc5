//! The API as it runs, on a loopback port, over a database of its own.

use crate::client::{Answer, Client, PATIENCE, field, file};
use api::{Parts, PasswordCost, PasswordHasher, SealingKey, SigningKey, SigningKeys};
use chrono::{SubsecRound, Utc};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Config, RateLimits};
use shared::ids::{JobId, UserId};
use shared::job::JobKind;
use shared::objects::Objects;
use shared::queue::Queue;
use shared::store::{PoolLimits, Store};
use shared::telemetry::Metrics;
use shared::testing::TestDatabase;
use shared::testing::tcp_proxy::TcpProxy;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Server {
    pub client: Client,
    pub store: Store,
    pub queue: Queue,
    pub clock: Clock,
    pub relay_wake: Arc<Notify>,
    pub objects: tempfile::TempDir,
    pub stop: CancellationToken,
    pub running: JoinHandle<Result<(), api::ApiError>>,
    pub config: Config,
    signing_key: Arc<Vec<u8>>,
    /// Dropped last; absent where a test has a database of another kind.
    database: Option<Arc<TestDatabase>>,
}

pub const PASSWORD: &str = "a long enough password";

pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::install(&[]).expect("the only recorder of this process")).clone()
}

pub fn queue() -> Queue {
    Queue::in_process(&[JobKind::RECONCILIATION.queue()], 100)
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Self {
        let database = Arc::new(TestDatabase::create().await);
        // Limits have tests of their own.
        let mut config = Config { rate_limits: RateLimits::none(), ..Config::default() };
        configure(&mut config);
        // Tokens count whole seconds.
        let clock = Clock::manual(Utc::now().trunc_subsecs(0));
        let store = database.store();
        Self::start_on(Some(database), store, queue(), config, clock, Arc::new(SigningKey::generate())).await
    }

    /// One on a database that the test has made, and on its replica.
    pub async fn start_with_replica(store: Store, replica_url: String) -> Self {
        let mut config = Config { rate_limits: RateLimits::none(), ..Config::default() };
        config.database.replica_url = Some(replica_url.into());
        let clock = Clock::manual(Utc::now().trunc_subsecs(0));
        Self::start_on(None, store, queue(), config, clock, Arc::new(SigningKey::generate())).await
    }

    /// One that reaches its database through a proxy, impatiently, and whose broker is `queue`.
    pub async fn start_behind_a_proxy(queue: Queue) -> (Self, TcpProxy) {
        let database = Arc::new(TestDatabase::create().await);
        let options = database.options();
        let target = format!("{}:{}", options.get_host(), options.get_port());
        let target = tokio::net::lookup_host(target).await.expect("a name").next().expect("an address");
        let proxy = TcpProxy::start(target).await.expect("a proxy");
        let options = options.host("127.0.0.1").port(proxy.address().port());
        let limits =
            PoolLimits { connections_max: 10, acquire_timeout: Duration::from_secs(1), ..Default::default() };
        let config = Config { rate_limits: RateLimits::none(), ..Config::default() };
        let clock = Clock::manual(Utc::now().trunc_subsecs(0));
        let (store, key) = (Store::new(options, &limits), Arc::new(SigningKey::generate()));
        (Self::start_on(Some(database), store, queue, config, clock, key).await, proxy)
    }

    /// One more process on the same database, with the same keys.
    pub async fn another(&self, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.config.clone();
        configure(&mut config);
        let store = self.database.as_ref().expect("a database of its own").store();
        let database = self.database.clone();
        Self::start_on(database, store, queue(), config, self.clock.clone(), self.signing_key.clone()).await
    }

    async fn start_on(
        database: Option<Arc<TestDatabase>>,
        store: Store,
        queue: Queue,
        config: Config,
        clock: Clock,
        signing_key: Arc<Vec<u8>>,
    ) -> Self {
        let objects = tempfile::tempdir().expect("a folder");
        let relay_wake = Arc::new(Notify::new());
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let parts = Parts {
            store: store.clone(),
            objects: Objects::local_disk(objects.path().into()).expect("a folder"),
            queue: queue.clone(),
            metrics: metrics(),
            clock: clock.clone(),
            signing_keys: SigningKeys::from_bytes(&signing_key).expect("a key"),
            signing_keys_source: None,
            sealing_key: SealingKey::from_bytes(&SealingKey::generate()),
            passwords: PasswordHasher::new(PasswordCost::TRIVIAL).expect("a hasher"),
            relay_wake: relay_wake.clone(),
            listener,
        };
        let running = tokio::spawn({
            let (stop, config) = (stop.clone(), config.clone());
            async move { api::run(&config, parts, stop).await }
        });
        let client = Client { address, token: None };
        Self {
            client,
            store,
            queue,
            clock,
            relay_wake,
            objects,
            stop,
            running,
            config,
            signing_key,
            database,
        }
    }

    /// What this process signs with.
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.signing_key).expect("a key")
    }

    /// Another API on the same database, which signs the audit log as it starts; with the key it does so with.
    pub async fn sign_again(&self) -> SigningKey {
        let bytes = SigningKey::generate();
        let key = || SigningKey::from_bytes(&bytes).expect("a key");
        let parts = Parts {
            store: self.store.clone(),
            objects: Objects::local_disk(self.objects.path().into()).expect("a folder"),
            queue: self.queue.clone(),
            metrics: metrics(),
            clock: self.clock.clone(),
            signing_keys: SigningKeys::from_bytes(&bytes).expect("a key"),
            signing_keys_source: None,
            sealing_key: None,
            passwords: PasswordHasher::new(PasswordCost::TRIVIAL).expect("a hasher"),
            relay_wake: self.relay_wake.clone(),
            listener: TcpListener::bind("127.0.0.1:0").await.expect("a port"),
        };
        let stop = self.stop.clone();
        tokio::spawn(async move { api::run(&Config::default(), parts, stop).await });
        key()
    }

    /// A new account's client.
    pub async fn log_in_as(&self, name: &str) -> Client {
        self.register(name).await;
        self.log_in(name).await
    }

    pub async fn register(&self, name: &str) -> UserId {
        let email = format!("{name}@example.org");
        let body = json!({"email": email, "name": name, "password": PASSWORD});
        self.client.post("/api/auth/register", &body).await.expect(202);
        self.store.credentials(&email).await.expect("asked").expect("an account").id
    }

    /// A new account's client that may administer the platform.
    pub async fn log_in_as_platform_admin(&self, name: &str) -> Client {
        let client = self.log_in_as(name).await;
        self.promote(name).await;
        client
    }

    pub async fn promote(&self, name: &str) {
        // The token stays the old one: roles are not in it.
        sqlx::query("UPDATE users SET is_platform_admin = true WHERE name = $1")
            .bind(name)
            .execute(self.store.pool())
            .await
            .expect("promoted");
    }

    pub async fn log_in(&self, name: &str) -> Client {
        let body = json!({"email": format!("{name}@example.org"), "password": PASSWORD});
        let answer = self.client.post("/api/auth/login", &body).await.expect(200).json();
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Client { address: self.client.address, token: Some(token) }
    }

    /// Whole objects and parts of them.
    pub fn objects_kept(&self) -> usize {
        files_under(self.objects.path())
    }

    /// A platform administrator's client.
    pub async fn log_in_as_admin(&self) -> Client {
        let client = self.log_in_as("root").await;
        sqlx::query("UPDATE users SET is_platform_admin = true WHERE name = 'root'")
            .execute(self.store.pool())
            .await
            .expect("made");
        client
    }

    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(self.store.pool()).await.expect("a count")
    }
}

fn files_under(folder: &Path) -> usize {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.map(|f| if f.path().is_dir() { files_under(&f.path()) } else { 1 }).sum()
}

/// Looks until it is true; panics after [`PATIENCE`].
pub async fn eventually(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_true().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub fn id_of(answer: &Value) -> &str {
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}"))
}

/// A project with two data sources, and the client of its maker.
pub struct Project {
    pub client: Client,
    pub id: String,
    pub left: String,
    pub right: String,
}

pub const BANK: &str = "Id,Booked,Amount,Text\nB1,2026-01-05,10.00,INV-1001\nB2,2026-01-06,-5.50,Fee\n";
pub const LEDGER: &str = "Id,Booked,Amount,Ref\nL1,2026-01-05,10.00,INV-1001\nL2,2026-01-07,7.25,INV-1002\n";

pub fn mapping(text_field: &str, text_column: &str) -> Value {
    json!({
        "format": "csv", "id": "Id", "date": {"column": "Booked"}, "amount": {"column": "Amount"},
        "currency": {"fixed": "EUR"}, "fields": {text_field: text_column},
    })
}

impl Project {
    pub async fn make(server: &Server, owner: &str) -> Self {
        let client = server.log_in_as(owner).await;
        let project = client.post("/api/projects", &json!({"name": "Books"})).await.expect(201).json();
        let id = id_of(&project).to_owned();
        let mut project = Self { client, id, left: String::new(), right: String::new() };
        project.left = project.add_source("bank.csv", BANK, mapping("description", "Text")).await;
        project.right = project.add_source("ledger.csv", LEDGER, mapping("reference", "Ref")).await;
        project
    }

    pub async fn upload(&self, file_name: &str, content: &str) -> Answer {
        let parts = [field("project_id", &self.id), file("file", file_name, content)];
        self.client.post_form("/api/files/upload", &parts).await
    }

    pub async fn add_source(&self, file_name: &str, content: &str, mapping: Value) -> String {
        let file = self.upload(file_name, content).await.expect(201).json();
        let body =
            json!({"project_id": self.id, "file_id": id_of(&file), "name": file_name, "mapping": mapping});
        id_of(&self.client.post("/api/data-sources", &body).await.expect(201).json()).to_owned()
    }

    pub fn submission(&self) -> Value {
        json!({"project_id": self.id, "left_source_id": self.left, "right_source_id": self.right})
    }

    /// A nightly reconciliation of the two sources; gives its id.
    pub async fn schedule(&self) -> String {
        let body = json!({
            "name": "Nightly", "kind": "reconciliation", "cron": "30 2 * * *", "time_zone": "Europe/Berlin",
            "args": {"left_source_id": self.left, "right_source_id": self.right},
        });
        let path = format!("/api/projects/{}/schedules", self.id);
        id_of(&self.client.post(&path, &body).await.expect(201).json()).to_owned()
    }

    pub async fn submit(&self) -> JobId {
        let answer =
            self.client.post("/api/reconciliation/jobs", &self.submission()).await.expect(202).json();
        id_of(&answer).parse().expect("an id")
    }
}

pub fn job_path(id: JobId, below: &str) -> String {
    format!("/api/reconciliation/jobs/{id}{below}")
}
