//! Where limits are counted: in Redis for all processes, else in Postgres what must be shared, and the rest here.

use super::in_process::InProcess;
use super::redis::RedisCounts;
use super::{Charge, Spent};
use crate::redis_link::RedisLink;
use shared::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Counters {
    redis: Option<RedisCounts>,
    here: InProcess,
}

impl Counters {
    pub fn new(redis: Option<Arc<RedisLink>>) -> Self {
        Self { redis: redis.map(RedisCounts::new), here: InProcess::new() }
    }

    /// Charges all, or none when one is refused. With neither Redis nor database a limit is counted here: weaker, not
    /// gone.
    pub async fn spend(&self, store: &Store, charges: Vec<Charge>) -> Spent {
        let all: Vec<&Charge> = charges.iter().collect();
        if all.is_empty() {
            return Spent::default();
        }
        let in_redis = match &self.redis {
            Some(redis) => redis.spend(&all).await,
            None => None,
        };
        let paid = match in_redis {
            Some(paid) => paid,
            None => self.spend_without_redis(store, &all).await,
        };
        Spent(charges.into_iter().zip(paid).collect())
    }

    async fn spend_without_redis(&self, store: &Store, charges: &[&Charge]) -> Vec<Duration> {
        let here: Vec<&Charge> = charges.iter().copied().filter(|charge| !charge.rule.is_shared).collect();
        let now = Instant::now();
        let mut of_here = self.here.spend(&here, now).into_iter();
        let granted_here = here.iter().zip(of_here.clone()).all(|(charge, paid)| charge.rule.grants(paid));
        let mut paid = vec![];
        for charge in charges {
            if !charge.rule.is_shared {
                paid.extend(of_here.next());
            } else if granted_here {
                paid.push(self.spend_shared(store, charge, now).await);
            } else {
                // Refused anyway: not counted, and not asked.
                paid.push(Duration::ZERO);
            }
        }
        paid
    }

    async fn spend_shared(&self, store: &Store, charge: &Charge, now: Instant) -> Duration {
        let subject = format!("{}:{}", charge.rule.name, charge.subject);
        match store.take_from_limit(&subject, charge.rule.quota, charge.rule.window).await {
            Ok(paid) => paid,
            Err(error) => {
                tracing::warn!(error = shared::chain(&error), "a shared limit is counted here");
                self.here.spend(&[charge], now)[0]
            }
        }
    }
}
