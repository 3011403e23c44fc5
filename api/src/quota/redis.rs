//! Counting in Redis, for all API processes together.

use super::Charge;
use crate::redis_link::RedisLink;
use redis::aio::ConnectionManager;
use redis::{ErrorKind, RedisError, Script};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct RedisCounts {
    link: Arc<RedisLink>,
    script: Script,
}

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
    pub fn new(link: Arc<RedisLink>) -> Self {
        Self { link, script: Script::new(SCRIPT) }
    }

    /// `None`: Redis is away.
    pub async fn spend(&self, charges: &[&Charge]) -> Option<Vec<Duration>> {
        let mut call = self.script.prepare_invoke();
        for charge in charges {
            call.key(format!("counterfoil:limit:{}:{}", charge.rule.name, charge.subject));
            // A millisecond more, as for the others.
            let window = charge.rule.window + Duration::from_millis(1);
            call.arg(charge.rule.cost().as_micros() as u64).arg(window.as_micros() as u64);
        }
        let asking = async move |mut connection: ConnectionManager| {
            let paid: Vec<u64> = call.invoke_async(&mut connection).await?;
            match paid.len() == charges.len() {
                true => Ok(paid),
                false => {
                    Err(RedisError::from((ErrorKind::UnexpectedReturnType, "an answer of another length")))
                }
            }
        };
        let paid = self.link.ask(asking).await?;
        Some(paid.into_iter().map(Duration::from_micros).collect())
    }
}
