//! The separate roles: one process each, against a PostgreSQL and a RabbitMQ given by URL.

use crate::stop;
use anyhow::{Context, Result, bail};
use api::{Figures, PasswordCost, PasswordHasher, SealingKey, SigningKeys};
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;
use shared::queue::{Queue, QueueName};
use shared::secrets::{KEPT_FOR, Secret, check_token, check_url};
use shared::store::{PoolLimits, Store};
use shared::telemetry::Telemetry;
use shared::telemetry::metric::Role;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub struct WorkerArgs {
    /// Queues to serve, by job kind; default: all.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    queues: Vec<String>,
    /// Jobs at once per queue.
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
}

/// What can be started with a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RoleName {
    Up,
    Api,
    Worker,
    Scheduler,
    Migrate,
}

impl RoleName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::Migrate => "migrate",
        }
    }
}

/// The settings that a role needs and this configuration lacks.
pub fn missing(config: &Config, role: RoleName) -> Vec<&'static str> {
    use RoleName::{Api, Migrate, Scheduler, Up, Worker};
    let auth = &config.auth;
    let has_signing_key = auth.signing_key.is_some() || auth.signing_key_file.is_some();
    let needs: [(&str, bool, &[RoleName]); 4] = [
        ("database.url", config.database.url.is_some(), &[Api, Worker, Scheduler, Migrate]),
        ("broker.url", config.broker.url.is_some(), &[Api, Worker, Scheduler]),
        ("objects.dir", config.objects.dir.is_some(), &[Api, Worker]),
        ("auth.signing_key or auth.signing_key_file", has_signing_key, &[Api]),
    ];
    debug_assert!(needs.iter().all(|(_, _, roles)| !roles.contains(&Up)), "`up` needs nothing");
    let lacks = needs.into_iter().filter(|(_, is_there, roles)| !is_there && roles.contains(&role));
    lacks.map(|(key, _, _)| key).collect()
}

pub async fn api(config: Config) -> Result<()> {
    let signing_keys = signing_keys_secret(&config)?;
    refuse_missing(&missing(&config, RoleName::Api))?;
    let telemetry = Telemetry::start(&config, &[Role::Api]).map_err(anyhow::Error::msg)?;
    let source = signing_keys.context("checked above")?;
    let signing_keys = read_signing_keys(&source).await?;
    let sealing_key = sealing_key(&config)?;
    let stop = stop::on_signal()?;
    let store = store_for_requests(&config)?;
    let listener = listen(config.http.listen).await?;
    if !wait_until_migrated(&store, &stop).await? {
        return Ok(());
    }
    // Rung for here, while it is little; the relays in other processes are told of the rest.
    let relay_wake = Arc::new(Notify::new());
    let queue = queue(&config)?;
    let ringing_stop = CancellationToken::new();
    let ringing = tokio::spawn({
        let (config, store, queue) = (config.clone(), store.clone(), queue.clone());
        let (committed, stop) = (relay_wake.clone(), ringing_stop.clone());
        async move { scheduler::ring_own(&config, store, queue, committed, stop).await }
    });
    let parts = api::Parts {
        store: store.clone(),
        objects: objects(&config)?,
        queue,
        metrics: telemetry.metrics.clone(),
        clock: Clock::system(),
        signing_keys,
        signing_keys_source: Some(source),
        sealing_key,
        passwords: PasswordHasher::new(PasswordCost::STRONG)?,
        relay_wake,
        listener,
    };
    let following = follow_database(&config, &store);
    let served = api::run(&config, parts, stop).await;
    ringing_stop.cancel();
    let _ = ringing.await;
    following.abort();
    store.close().await;
    served?;
    Ok(())
}

/// Where the keys of access tokens are, if the configuration says so.
pub fn signing_keys_secret(config: &Config) -> Result<Option<Secret>> {
    match (&config.auth.signing_key, &config.auth.signing_key_file) {
        (Some(_), Some(_)) => bail!("auth.signing_key and auth.signing_key_file are both set; keep one"),
        (Some(value), None) => Ok(Some(Secret::new("auth.signing_key", value, &config.secrets)?)),
        (None, Some(file)) => Ok(Some(Secret::in_file("auth.signing_key_file", file.clone()))),
        (None, None) => Ok(None),
    }
}

pub async fn read_signing_keys(source: &Secret) -> Result<SigningKeys> {
    let bytes = source.read().await?;
    SigningKeys::from_bytes(bytes.expose()).context("auth.signing_key")
}

/// The key that seals second factors, which is read already.
fn sealing_key(config: &Config) -> Result<Option<SealingKey>> {
    let Some(value) = &config.auth.sealing_key else { return Ok(None) };
    let key = SealingKey::from_bytes(value.expose_secret().as_bytes());
    key.map(Some).context("auth.sealing_key must be 64 random hex digits (`openssl rand -hex 32`)")
}

/// The configuration with the secrets that are elsewhere in place, and none that keeps nobody out.
pub async fn with_secrets(mut config: Config) -> Result<Config> {
    let settings = config.secrets.clone();
    let mut wrong = vec![];
    for (key, value) in [
        ("database.url", &mut config.database.url),
        ("database.replica_url", &mut config.database.replica_url),
        ("broker.url", &mut config.broker.url),
        ("redis.url", &mut config.redis.url),
        ("auth.sealing_key", &mut config.auth.sealing_key),
        ("http.metrics_token", &mut config.http.metrics_token),
        ("oidc.client_secret", &mut config.oidc.client_secret),
        ("mail.url", &mut config.mail.url),
        ("notifications.slack_url", &mut config.notifications.slack_url),
        ("notifications.pagerduty_key", &mut config.notifications.pagerduty_key),
        ("notifications.sms_token", &mut config.notifications.sms_token),
        ("telemetry.otlp.headers", &mut config.telemetry.otlp.headers),
    ] {
        let Some(setting) = value else { continue };
        let secret = Secret::new(key, setting, &settings)?;
        let text = secret.read().await?.text();
        let text = text.with_context(|| format!("{key} is no text"))?;
        if matches!(key, "database.url" | "database.replica_url" | "broker.url" | "redis.url") {
            wrong.extend(check_url(key, &text).err());
        }
        if key == "http.metrics_token" {
            wrong.extend(check_token(key, &text).err());
        }
        if key == "database.url" {
            config.database_url_source = Some(secret);
        }
        *value = Some(text);
    }
    if !wrong.is_empty() {
        bail!("the secrets are not usable:\n  {}", wrong.join("\n  "));
    }
    Ok(config)
}

/// Reads the database's URL again every five minutes, and at once when it refuses us: a changed password needs no
/// restart. Connections that are open go on.
pub fn follow_database(config: &Config, store: &Store) -> tokio::task::JoinHandle<()> {
    let (source, store) = (config.database_url_source.clone(), store.clone());
    tokio::spawn(async move {
        let Some(source) = source.filter(Secret::may_change) else { return };
        let mut read_at = Instant::now();
        let mut before: Option<SecretString> = None;
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if !store.was_refused() && read_at.elapsed() < KEPT_FOR {
                continue;
            }
            read_at = Instant::now();
            let url = match source.read_anew().await {
                Ok(bytes) => bytes.text(),
                Err(error) => {
                    tracing::warn!(error = shared::chain(&error), "database.url cannot be read again");
                    continue;
                }
            };
            let Some(url) = url else { continue };
            let is_new = before.as_ref().is_none_or(|before| before.expose_secret() != url.expose_secret());
            match url.expose_secret().parse() {
                Ok(options) if is_new => {
                    store.connect_with(options);
                    before = Some(url);
                }
                Ok(_) => {}
                Err(_) => tracing::error!("database.url is no URL any more; the old one is used"),
            }
        }
    })
}

pub async fn worker(mut config: Config, args: WorkerArgs) -> Result<()> {
    if !args.queues.is_empty() {
        config.worker.queues = args.queues;
    }
    let unknown: Vec<&str> = config
        .worker
        .queues
        .iter()
        .map(String::as_str)
        .filter(|q| !JobKind::ALL.iter().any(|k| k.as_str() == *q))
        .collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = JobKind::ALL.iter().map(JobKind::as_str).collect();
        bail!("unknown queues: {}; this version knows: {}", unknown.join(", "), known.join(", "));
    }
    if let Some(concurrency) = args.concurrency {
        if !(1..=1000).contains(&concurrency) {
            bail!("--concurrency is {concurrency}, and must be 1 to 1000");
        }
        config.worker.concurrency = concurrency;
    }
    refuse_missing(&missing(&config, RoleName::Worker))?;
    let telemetry = Telemetry::start(&config, &[Role::Worker]).map_err(anyhow::Error::msg)?;
    let stop = stop::on_signal()?;
    let (store, queue, objects) = (store(&config)?, queue(&config)?, objects(&config)?);
    if !wait_until_migrated(&store, &stop).await? {
        return Ok(());
    }
    let figures_stop = CancellationToken::new();
    let answers = Figures {
        store: store.clone(),
        queue: queue.clone(),
        objects: Some(objects.clone()),
        metrics: telemetry.metrics.clone(),
        metrics_token: config.http.metrics_token.clone(),
    };
    let figures = figures(config.worker.listen, answers, &figures_stop).await?;
    let following = follow_database(&config, &store);
    let ended = worker::run(&config, store.clone(), queue, objects, stop).await;
    following.abort();
    figures_stop.cancel();
    figures.await?;
    store.close().await;
    Ok(ended?)
}

pub async fn scheduler(config: Config) -> Result<()> {
    refuse_missing(&missing(&config, RoleName::Scheduler))?;
    let telemetry = Telemetry::start(&config, &[Role::Scheduler]).map_err(anyhow::Error::msg)?;
    let stop = stop::on_signal()?;
    let (store, queue) = (store(&config)?, queue(&config)?);
    if !wait_until_migrated(&store, &stop).await? {
        return Ok(());
    }
    let figures_stop = CancellationToken::new();
    let answers = Figures {
        store: store.clone(),
        queue: queue.clone(),
        objects: None,
        metrics: telemetry.metrics.clone(),
        metrics_token: config.http.metrics_token.clone(),
    };
    let figures = figures(config.scheduler.listen, answers, &figures_stop).await?;
    let relay_wake = Arc::new(Notify::new());
    let listening = tokio::spawn(store.clone().listen_for_doorbells(relay_wake.clone(), stop.clone()));
    let following = follow_database(&config, &store);
    scheduler::run(&config, store.clone(), queue, relay_wake, stop).await;
    following.abort();
    let _ = listening.await;
    figures_stop.cancel();
    figures.await?;
    store.close().await;
    Ok(())
}

pub async fn migrate(config: Config) -> Result<()> {
    refuse_missing(&missing(&config, RoleName::Migrate))?;
    let store = store(&config)?;
    store.try_to_connect().await?;
    store.migrate().await.context("migrating the database")?;
    println!("The database is at this version.");
    Ok(())
}

/// Health and metrics of a process that has no API of its own.
async fn figures(
    listen_at: Option<SocketAddr>,
    answers: Figures,
    stop: &CancellationToken,
) -> Result<tokio::task::JoinHandle<()>> {
    let Some(address) = listen_at else { return Ok(tokio::spawn(async {})) };
    let listener = listen(address).await?;
    let served = api::serve_figures(listener, answers, stop.clone());
    Ok(tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the listener for health and metrics ended");
        }
    }))
}

fn refuse_missing(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this role needs {}: set it in the configuration file or as COUNTERFOIL_<SECTION>__<KEY> \
         (`counterfoil up` needs none of it)",
        missing.join(", ")
    )
}

/// A pool for the configured database; connects on first use.
pub fn store(config: &Config) -> Result<Store> {
    store_with(config, &pool_limits(config))
}

/// The same for a process that serves requests, of which none should wait for a connection to be opened.
pub fn store_for_requests(config: &Config) -> Result<Store> {
    store_with(config, &PoolLimits::of(&config.database))
}

fn store_with(config: &Config, limits: &PoolLimits) -> Result<Store> {
    let url = config.database.url.as_ref().context("database.url is not set")?;
    let options = url.expose_secret().parse().context("database.url")?;
    Ok(Store::new(options, limits))
}

/// Of those whom nobody waits for: workers and schedulers use what connections they need over and over, and twenty workers
/// with ten idle ones in each of two pools would fill a server that has two hundred.
pub fn pool_limits(config: &Config) -> PoolLimits {
    PoolLimits { idle_min: 0, ..PoolLimits::of(&config.database) }
}

pub fn queue(config: &Config) -> Result<Queue> {
    let url = config.broker.url.as_ref().context("broker.url is not set")?;
    Queue::amqp(url, &config.broker.prefix, &queue_names()).context("broker.url")
}

pub fn queue_names() -> Vec<QueueName> {
    JobKind::ALL.iter().map(JobKind::queue).collect()
}

/// The object store.
pub fn objects(config: &Config) -> Result<Objects> {
    let dir = config.objects.dir.as_ref().context("objects.dir is not set")?;
    Objects::local_disk(dir.clone()).with_context(|| format!("objects.dir {}", dir.display()))
}

pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}

/// Waits for a database that is away; refuses one that lacks migrations. `false`: told to stop meanwhile.
async fn wait_until_migrated(store: &Store, stop: &CancellationToken) -> Result<bool> {
    let mut told = false;
    loop {
        match store.is_migrated().await {
            Ok(true) => return Ok(true),
            Ok(false) => bail!("the database is not at this version; run `counterfoil migrate` first"),
            Err(error) if error.is_unavailable() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(error = %shared::chain(&error), "waiting for the database");
                }
            }
            Err(error) => return Err(error).context("asking the database for its version"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}
