//! Serving: the whole API, or only the figures of a process that has no API.

use crate::admission::Admission;
use crate::auth::oidc::Provider;
use crate::auth::{PasswordHasher, Sealing, SealingKey, SigningKeys, Tokens};
use crate::cache::Caches;
use crate::circuit::DatabaseCircuit;
use crate::connections::{self, Limits};
use crate::quota::{Counters, Quotas, remember};
use crate::reconciliation::Watcher;
use crate::redis_link::RedisLink;
use crate::standings::Standings;
use crate::state::{Api, BackupRules, SessionLife, Shared};
use crate::vitals::{self, Figures, Vitals};
use crate::{audit, layers, routes};
use axum::middleware::from_fn_with_state;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use shared::clock::Clock;
use shared::config::Config;
use shared::objects::Objects;
use shared::outgoing::Guard;
use shared::queue::Queue;
use shared::secrets::Secret;
use shared::store::login_failures::LockOut;
use shared::store::replica::Replica;
use shared::store::{PoolLimits, Store};
use shared::telemetry::Metrics;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// What the API works with, made by whoever starts it.
pub struct Parts {
    pub store: Store,
    pub objects: Objects,
    /// Only looked at, for health and depth: jobs leave through the outbox.
    pub queue: Queue,
    pub metrics: Metrics,
    pub clock: Clock,
    pub signing_keys: SigningKeys,
    /// Where they come from, to be read again when they may have changed.
    pub signing_keys_source: Option<Secret>,
    /// Without it nobody can have a second factor.
    pub sealing_key: Option<SealingKey>,
    pub passwords: PasswordHasher,
    /// Gets `notify_one` after each commit that enqueued a job.
    pub relay_wake: Arc<Notify>,
    /// Bound already, so that the caller knows the port.
    pub listener: TcpListener,
}

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("the listening socket is not usable")]
    Listener(#[source] io::Error),
    /// Never with the password.
    #[error("database.replica_url is not usable")]
    Replica,
    /// Never with the password.
    #[error("redis.url is not usable: {0}")]
    Redis(String),
}

/// How long answers under way may take after `stop`.
const DRAIN: Duration = Duration::from_secs(10);
/// Connections besides those of event streams.
const CONNECTIONS_MAX: usize = 2048;
/// Made at once; a third client is asked to come back.
const WORKBOOKS_MAX: usize = 2;
/// Tried at once; further ones wait.
const SAMPLES_MAX: usize = 2;

/// Serves the API until `stop`, then answers what was asked already, for at most 10 s. Event streams end at
/// once. A database or broker that is away is no reason to end: requests that need it get a 503.
pub async fn run(config: &Config, parts: Parts, stop: CancellationToken) -> Result<(), ApiError> {
    let address = parts.listener.local_addr().map_err(ApiError::Listener)?;
    let lifetime = TimeDelta::minutes(config.auth.access_token_minutes);
    let store = parts.store.clone();
    let redis = config.redis.url.as_ref().map(RedisLink::new).transpose();
    let redis = redis.map_err(|error| ApiError::Redis(error.to_string()))?.map(Arc::new);
    let replica = replica(config)?;
    let quotas =
        Quotas::new(config.rate_limits.clone(), Counters::new(redis.clone()), config.trusted_proxies());
    let watcher = Watcher::new(parts.store.clone(), config.http.event_streams_max, stop.clone());
    let api = Api(Arc::new(Shared {
        vitals: Vitals::new(Figures {
            store: parts.store.clone(),
            queue: parts.queue.clone(),
            objects: Some(parts.objects.clone()),
            metrics: parts.metrics,
            metrics_token: config.http.metrics_token.clone(),
        }),
        admission: Admission::new(parts.store.clone(), config.backlog),
        store: parts.store.for_tenants(),
        replica: replica.clone(),
        objects: parts.objects,
        queue: parts.queue,
        standings: Standings::new(),
        caches: Caches::new(redis),
        circuit: DatabaseCircuit::new(),
        tokens: Tokens::new(&parts.signing_keys, parts.signing_keys_source, lifetime, parts.clock.clone()),
        session: SessionLife {
            idle: TimeDelta::hours(config.auth.session_idle_hours.into()),
            absolute: TimeDelta::days(config.auth.session_days_max.into()),
        },
        lock_out: LockOut {
            after: config.auth.lock_after_failures,
            first: Duration::from_secs(60),
            longest: Duration::from_secs(u64::from(config.auth.lock_minutes_max) * 60),
        },
        sealing: parts.sealing_key.as_ref().map(Sealing::new),
        quotas,
        provider: Provider::new(config, parts.clock.clone()),
        passwords: parts.passwords,
        registration: config.auth.registration,
        clock: parts.clock,
        relay_wake: parts.relay_wake,
        watcher: watcher.clone(),
        policies: config.policies(),
        routing: config.routing(),
        outgoing: Guard::new(config.notifications.networks()),
        webhook_overlap_hours: config.notifications.webhook_overlap_hours,
        backups: BackupRules {
            policy: config.backup.retention.into(),
            slow_after: TimeDelta::seconds(config.backup.slow_after_s.cast_signed()),
        },
        workbooks: Semaphore::new(WORKBOOKS_MAX),
        samples: Semaphore::new(SAMPLES_MAX),
        upload_bytes_max: config.http.upload_bytes_max,
        project_files_max: config.http.project_files_max,
        idempotency_key_life: Duration::from_secs(config.http.idempotency_key_hours * 3600),
        ring_again_after: Duration::from_secs(config.scheduler.ring_again_after_s),
        request_timeout: Duration::from_secs(config.http.request_timeout_s),
    }));
    let router = routes::table().into_router(&api).layer(from_fn_with_state(api.clone(), audit::watch));
    // Pages ask the same routes, in this process, as whoever looks at them.
    let pages = pages::router(layers::inside(router.clone()).with_state(api.clone()));
    let router = layers::surround(router.with_state(api.clone()).merge(pages));
    let router = router.layer(axum::middleware::from_fn(pages::show_problems));
    let router = router.layer(from_fn_with_state(api.clone(), remember));
    tracing::info!(%address, "the API listens");
    let limits = Limits { connections_max: CONNECTIONS_MAX + config.http.event_streams_max, drain: DRAIN };
    let polling = tokio::spawn(watcher.poll());
    let rotating = tokio::spawn(follow_keys(api.clone()));
    let following = tokio::spawn({
        let (replica, stop) = (replica, stop.clone());
        async move {
            if let Some(replica) = replica {
                replica.follow(stop).await;
            }
        }
    });
    let hearing = tokio::spawn({
        let (store, api, stop) = (store.clone(), api.clone(), stop.clone());
        let hear = move |news| {
            api.standings.hear(&news);
            api.caches.hear(&news);
            api.circuit.hear(&news);
        };
        async move { store.follow_changes(hear, stop).await }
    });
    let keeping = tokio::spawn(store.clone().keep_idle(stop.clone()));
    let signing = tokio::spawn(audit::sign_hourly(store, api, stop.clone()));
    connections::serve(parts.listener, router, limits, stop).await;
    // Ends with `stop` by itself, perhaps a database time-out later.
    polling.abort();
    keeping.abort();
    rotating.abort();
    signing.abort();
    hearing.abort();
    following.abort();
    tracing::info!("the API has stopped");
    Ok(())
}

/// With the same bounds as the database itself.
fn replica(config: &Config) -> Result<Option<Replica>, ApiError> {
    let Some(url) = &config.database.replica_url else { return Ok(None) };
    let options = url.expose_secret().parse().map_err(|_| ApiError::Replica)?;
    Ok(Some(Replica::new(options, &PoolLimits::of(&config.database))))
}

/// Reads the signing keys as often as secrets are kept, so that a rotation needs no restart.
async fn follow_keys(api: Api) {
    while api.tokens.may_change() {
        tokio::time::sleep(shared::secrets::KEPT_FOR).await;
        let outcome = if api.tokens.look_for_new_keys().await { "ok" } else { "failed" };
        metrics::counter!("counterfoil_signing_keys_read_total", "outcome" => outcome).increment(1);
    }
}

/// Serves `/api/health`, `/api/live`, `/api/ready`, the probes and `/api/metrics` of a process that is no API, until `stop`.
pub async fn serve_figures(
    listener: TcpListener,
    figures: Figures,
    stop: CancellationToken,
) -> Result<(), ApiError> {
    let address = listener.local_addr().map_err(ApiError::Listener)?;
    let (router, _) = vitals::routes::<Vitals>().split_for_parts();
    let router = layers::surround(router).with_state(Vitals::new(figures));
    tracing::info!(%address, "health and metrics listen");
    connections::serve(listener, router, Limits { connections_max: 64, drain: Duration::from_secs(1) }, stop)
        .await;
    Ok(())
}
