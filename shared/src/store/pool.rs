//! The two pools of connections: their bounds, what they hold, and those at rest that are kept ready.

use super::Store;
use crate::config;
use futures_util::future::join_all;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks whether enough are ready.
const PERIOD: Duration = Duration::from_secs(5);

/// Bounds of the connection pools.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// For tenants, and as many for the system itself; opened as needed.
    pub connections_max: u32,
    /// Of each of the two, those at rest that [`Store::keep_idle`] keeps open.
    pub idle_min: u32,
    pub acquire_timeout: Duration,
    /// A connection that is older is not used again.
    pub lifetime: Duration,
    /// Further ones that have rested for so long are closed.
    pub idle: Duration,
}

impl Default for PoolLimits {
    /// What is configured by default, without any that is kept.
    fn default() -> Self {
        Self { idle_min: 0, ..Self::of(&config::Database::default()) }
    }
}

impl PoolLimits {
    pub fn of(config: &config::Database) -> Self {
        Self {
            connections_max: config.connections_max,
            idle_min: config.connections_idle_min.min(config.connections_max),
            acquire_timeout: Duration::from_secs(config.acquire_timeout_s),
            lifetime: Duration::from_secs(config.connection_lifetime_s),
            idle: Duration::from_secs(config.connection_idle_s),
        }
    }
}

/// Connections of one pool that are open, those of them that nobody uses, and the most it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PoolFigures {
    pub size: u32,
    pub idle: u32,
    pub max: u32,
}

impl Store {
    /// Of each pool, by its name: when one is used up, the other cannot help.
    pub fn pool_figures(&self) -> [(&'static str, PoolFigures); 2] {
        [("tenants", &self.tenants), ("system", &self.system)].map(|(name, pool)| {
            let warm = if name == "system" { self.warm.resting() } else { 0 };
            let (size, idle) = (pool.size(), pool.num_idle() as u32 + warm);
            (name, PoolFigures { size, idle, max: pool.options().get_max_connections() })
        })
    }

    /// Keeps [`PoolLimits::idle_min`] connections of each pool at rest until `stop`. sqlx has a minimum of its own: it opens
    /// another for one that it closes, but none at the beginning, none while all are in use, and none after an outage.
    pub async fn keep_idle(self, stop: CancellationToken) {
        let mut seen = super::trouble_at();
        while !stop.is_cancelled() {
            let trouble = super::trouble_at();
            let all = std::mem::replace(&mut seen, trouble) != trouble;
            self.warm.sweep();
            tokio::select! {
                () = stop.cancelled() => return,
                _ = async { tokio::join!(fill(&self.tenants, all), fill(&self.system, all)) } => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }
}

/// Takes as many as should be at rest at once, so that those which are missing are opened, and lets them go. `all`: some of
/// those at rest may be dead, which shows when they are taken. A server that is away is asked again with the next round;
/// whoever needs it says so.
async fn fill(pool: &PgPool, all: bool) {
    let options = pool.options();
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let room = options.get_max_connections().saturating_sub(pool.size());
    let wanted = options.get_min_connections().min(idle.saturating_add(room));
    if all || idle < wanted {
        join_all((0..wanted).map(|_| pool.acquire())).await;
    }
}
