//! The one connection of a process to Redis, for all that may do without it. Redis may go away at any time: then nobody
//! waits for it, and it is asked again half a minute later.

use redis::RedisResult;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use secrecy::{ExposeSecret, SecretString};
use shared::breaker::{Breaker, BreakerRules};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

pub(crate) struct RedisLink {
    client: redis::Client,
    connection: Mutex<Option<ConnectionManager>>,
    breaker: Breaker,
}

/// Asking must not cost more than doing without.
const PATIENCE: Duration = Duration::from_millis(250);
/// One failure is enough, since everything goes on without it.
const RULES: BreakerRules = BreakerRules { failures: 1, open_for: Duration::from_secs(30), probes: 1 };

impl RedisLink {
    /// Prepares; connects on first use.
    pub fn new(url: &SecretString) -> RedisResult<Self> {
        Ok(Self {
            client: redis::Client::open(url.expose_secret())?,
            connection: Mutex::new(None),
            breaker: Breaker::new("redis", RULES),
        })
    }

    /// `None`: Redis is away.
    pub async fn ask<T, F>(&self, question: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.breaker.admit(Instant::now()).ok()?;
        let asked = tokio::time::timeout(PATIENCE, async { question(self.connection().await?).await }).await;
        let error = match asked {
            Ok(Ok(answer)) => {
                metrics::gauge!("counterfoil_cache_up").set(1.0);
                self.breaker.succeeded();
                return Some(answer);
            }
            // Its text may hold the address, never the password.
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        self.breaker.failed(Instant::now());
        *self.connection.lock().await = None;
        metrics::gauge!("counterfoil_cache_up").set(0.0);
        tracing::warn!(error, "Redis is away; everything goes on without it for 30 s");
        None
    }

    async fn connection(&self) -> RedisResult<ConnectionManager> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let made = ConnectionManager::new_with_config(self.client.clone(), config).await?;
        Ok(connection.insert(made).clone())
    }
}
