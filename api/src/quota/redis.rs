//! Counting in Redis, for all API processes together. Redis may go away at any time: then nobody waits for it, and it is
//! asked again half a minute later.

use super::Charge;
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use secrecy::{ExposeSecret, SecretString};
use shared::breaker::{Breaker, BreakerRules};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

pub(crate) struct RedisCounts {
    client: redis::Client,
    connection: Mutex<Option<ConnectionManager>>,
    script: Script,
    breaker: Breaker,
}

/// A limit must not cost more than what it protects.
const PATIENCE: Duration = Duration::from_millis(250);
/// One failure is enough, since limits go on without it.
const RULES: BreakerRules = BreakerRules { failures: 1, open_for: Duration::from_secs(30), probes: 1 };

/// All or nothing, by Redis' own clock. Answers microseconds until each key is paid off.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local paid, granted = {}, true
for i, key in ipairs(KEYS) do
    local at = tonumber(redis.call('GET', key) or '0')
    if at < now then at = now end
    paid[i] = at + tonumber(ARGV[2 * i - 1]) - now
    if paid[i] > tonumber(ARGV[2 * i]) then granted = false end
end
if granted then
    for i, key in ipairs(KEYS) do
        redis.call('SET', key, string.format('%.0f', now + paid[i]), 'PX', math.ceil(paid[i] / 1000) + 1000)
    end
end
return paid
";

impl RedisCounts {
    /// Prepares; connects on first use.
    pub fn new(url: &SecretString) -> redis::RedisResult<Self> {
        Ok(Self {
            client: redis::Client::open(url.expose_secret())?,
            connection: Mutex::new(None),
            script: Script::new(SCRIPT),
            breaker: Breaker::new("redis", RULES),
        })
    }

    /// `None`: Redis is away.
    pub async fn spend(&self, charges: &[&Charge]) -> Option<Vec<Duration>> {
        self.breaker.admit(Instant::now()).ok()?;
        let asked = tokio::time::timeout(PATIENCE, self.ask(charges)).await;
        let error = match asked {
            Ok(Ok(paid)) if paid.len() == charges.len() => {
                metrics::gauge!("counterfoil_cache_up").set(1.0);
                self.breaker.succeeded();
                return Some(paid.into_iter().map(Duration::from_micros).collect());
            }
            Ok(Ok(_)) => "an answer of another length".to_owned(),
            // Its text may hold the address, never the password.
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        self.breaker.failed(Instant::now());
        *self.connection.lock().await = None;
        metrics::gauge!("counterfoil_cache_up").set(0.0);
        tracing::warn!(error, "Redis is away; limits are counted without it for 30 s");
        None
    }

    async fn ask(&self, charges: &[&Charge]) -> redis::RedisResult<Vec<u64>> {
        let mut connection = self.connection().await?;
        let mut call = self.script.prepare_invoke();
        for charge in charges {
            call.key(format!("counterfoil:limit:{}:{}", charge.rule.name, charge.subject));
            // A millisecond more, as for the others.
            let window = charge.rule.window + Duration::from_millis(1);
            call.arg(charge.rule.cost().as_micros() as u64).arg(window.as_micros() as u64);
        }
        call.invoke_async(&mut connection).await
    }

    async fn connection(&self) -> redis::RedisResult<ConnectionManager> {
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
