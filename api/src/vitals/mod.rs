//! How this process and what it depends on are: health for people and load balancers, figures for Prometheus.
//!
//! Served by every kind of process, and open to whoever reaches the port: no answer here holds anything of a
//! project. The figures want a token where one is configured, for they tell how much there is to do.

mod database_server;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod probes;
pub(crate) mod scaling;
mod scrapers;

use axum::extract::FromRef;
use scrapers::Scrapers;
use secrecy::SecretString;
use shared::objects::Objects;
use shared::queue::Queue;
use shared::store::Store;
use shared::telemetry::Metrics;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest wait for one dependency: an answer that says what is wrong beats one that comes too late.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(crate) struct Vitals(Arc<Inner>);

/// What health and figures are about.
pub struct Figures {
    pub store: Store,
    pub queue: Queue,
    /// Absent in processes that touch no object.
    pub objects: Option<Objects>,
    pub metrics: Metrics,
    /// What `/api/metrics` wants to be sent; see `http.metrics_token`.
    pub metrics_token: Option<SecretString>,
}

pub(crate) struct Inner {
    store: Store,
    queue: Queue,
    objects: Option<Objects>,
    metrics: Metrics,
    scrapers: Scrapers,
    gauges: figures::Gauges,
    /// Whether `/startupz` has said so.
    was_ready: AtomicBool,
}

impl Vitals {
    pub fn new(of: Figures) -> Self {
        let Figures { store, queue, objects, metrics, metrics_token } = of;
        let scrapers = Scrapers::with(metrics_token.as_ref());
        let (gauges, was_ready) = Default::default();
        Self(Arc::new(Inner { store, queue, objects, metrics, scrapers, gauges, was_ready }))
    }
}

impl Deref for Vitals {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

pub(crate) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Vitals: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::live))
        .routes(routes!(probes::livez))
        .routes(routes!(probes::readyz))
        .routes(routes!(probes::startupz))
        .routes(routes!(figures::metrics))
        .routes(routes!(scaling::show_scaling))
}
