//! What is asked again and again, kept for a while: people, projects and statistics.
//!
//! Two levels. What this process has read it keeps in its memory, bounded; where there is Redis, what one process has
//! read the others find there. Nothing is deleted in Redis: a value says up to which transaction it shows what was done
//! ([`Seen`]), and whoever finds it knows which transactions have changed it since, as long as it hears of all changes
//! ([`shared::store::changes`]). While it does not, and while Redis is away, the database is asked each time.
//!
//! A change holds in the process that made it from its answer on ([`Cache::forget`]), in the others as soon as the
//! notification in its commit comes: milliseconds, and never more than the three quarters of a second that a promise
//! holds.
//!
//! Architecture invariant: nothing here says what somebody may do. Who asks has been let in by [`crate::guard`] before
//! anything is looked up, by the id that was decided about.

mod memory;

use crate::analytics::Figures;
use crate::redis_link::RedisLink;
use crate::standings::PROMISE_HOLDS;
use memory::{Found, Memory};
use redis::aio::ConnectionManager;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::store::StoreError;
use shared::store::changes::{News, Seen, Topic};
use shared::store::projects::ProjectFacts;
use shared::store::users::Person;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub(crate) struct Caches {
    /// By user.
    pub people: Cache<Person>,
    /// By project.
    pub projects: Cache<ProjectFacts>,
    /// By project, of the period of the dashboard.
    pub statistics: Cache<Figures>,
}

impl Caches {
    /// Some 15 MB when all are full.
    pub fn new(redis: Option<Arc<RedisLink>>) -> Self {
        let seconds = Duration::from_secs;
        Self {
            people: Cache::new("user", seconds(300), 20_000, redis.clone()),
            projects: Cache::new("project", seconds(600), 20_000, redis.clone()),
            statistics: Cache::new("statistics", seconds(1800), 5_000, redis),
        }
    }

    pub fn hear(&self, news: &News) {
        if let News::Changed(change) = news {
            match change.of {
                Topic::Person => self.people.memory().changed(change.id, change.by, Instant::now()),
                Topic::Project => self.projects.memory().changed(change.id, change.by, Instant::now()),
                Topic::Statistics => self.statistics.memory().changed(change.id, change.by, Instant::now()),
            }
            return;
        }
        self.people.hear(news);
        self.projects.hear(news);
        self.statistics.hear(news);
    }
}

/// One kind of value, by an id.
pub(crate) struct Cache<V> {
    name: &'static str,
    kept_for: Duration,
    memory: Mutex<Memory<V>>,
    redis: Option<Arc<RedisLink>>,
}

/// As it stands in Redis.
#[derive(Serialize, Deserialize)]
struct Written<V> {
    horizon: u64,
    /// Milliseconds since 1970.
    read_at: u64,
    value: V,
}

/// Rises when a value gets another form: processes of two versions must not read each other's.
const FORM: u32 = 1;

impl<V: Clone + Serialize + DeserializeOwned + Send + Sync> Cache<V> {
    fn new(name: &'static str, kept_for: Duration, most: usize, redis: Option<Arc<RedisLink>>) -> Self {
        Self { name, kept_for, memory: Mutex::new(Memory::new(most, PROMISE_HOLDS)), redis }
    }

    /// What is kept of this id, or what `load` finds, which is then kept. `None`: it finds nothing, which is not kept.
    pub async fn get<F>(&self, id: Uuid, load: impl FnOnce() -> F) -> Result<Option<V>, StoreError>
    where
        F: Future<Output = Result<Option<Seen<V>>, StoreError>>,
    {
        let asked_at = Instant::now();
        let found = self.memory().find(id, asked_at);
        let database = match found {
            Found::Kept(value) => {
                self.count("memory", "hit");
                return Ok(Some(value));
            }
            Found::Nothing(database) => {
                self.count("memory", "miss");
                database
            }
            Found::Deaf => {
                self.count("memory", "failed");
                return Ok(load().await?.map(|seen| seen.value));
            }
        };
        let key = format!("counterfoil:kept:{FORM}:{database}:{}:{id}", self.name);
        if let Some(value) = self.find_elsewhere(&key, id, asked_at).await {
            return Ok(Some(value));
        }
        let Some(seen) = load().await? else { return Ok(None) };
        self.memory().keep(id, seen.value.clone(), asked_at, asked_at + self.kept_for);
        self.tell_others(key, &seen);
        Ok(Some(seen.value))
    }

    /// A change that this process has made holds in it from now on.
    pub fn forget(&self, id: Uuid) {
        self.memory().forget(id, Instant::now());
    }

    async fn find_elsewhere(&self, key: &str, id: Uuid, asked_at: Instant) -> Option<V> {
        let redis = self.redis.as_ref()?;
        let get = async |mut connection: ConnectionManager| {
            redis::cmd("GET").arg(key).query_async(&mut connection).await
        };
        let Some(text) = redis.ask::<Option<String>, _>(get).await else {
            self.count("redis", "failed");
            return None;
        };
        let written = text.and_then(|text| serde_json::from_str::<Written<V>>(&text).ok());
        let until = written.as_ref().and_then(|written| self.until(written.read_at));
        if let (Some(Written { horizon, value, .. }), Some(until)) = (written, until)
            && self.memory().keep_from_elsewhere(id, value.clone(), horizon, asked_at, until)
        {
            self.count("redis", "hit");
            return Some(value);
        }
        self.count("redis", "miss");
        None
    }

    /// When what was read then has been kept for long enough; `None`: it has been. A clock that is ahead gives nothing
    /// more than a whole life.
    fn until(&self, read_at_ms: u64) -> Option<Instant> {
        let age = Duration::from_millis(now_ms().saturating_sub(read_at_ms));
        Some(Instant::now() + self.kept_for.checked_sub(age)?)
    }

    /// Waits for nothing: whoever asks next has it here.
    fn tell_others(&self, key: String, seen: &Seen<V>) {
        let Some(redis) = self.redis.clone() else { return };
        let written = Written { horizon: seen.horizon, read_at: now_ms(), value: &seen.value };
        let Ok(text) = serde_json::to_string(&written) else { return };
        let life_ms = self.kept_for.as_millis() as u64;
        tokio::spawn(async move {
            let mut set = redis::cmd("SET");
            set.arg(key).arg(text).arg("PX").arg(life_ms);
            let asking =
                async move |mut connection: ConnectionManager| set.query_async::<()>(&mut connection).await;
            redis.ask(asking).await
        });
    }

    fn hear(&self, news: &News) {
        match news {
            News::Missed => self.memory().miss(Instant::now()),
            News::Listening(listening) => self.memory().listen(listening),
            News::HeardUntil(at) => self.memory().heard_until(*at),
            News::Access(_) | News::Changed(_) => {}
        }
    }

    fn count(&self, level: &'static str, outcome: &'static str) {
        metrics::counter!(
            "counterfoil_cache_requests_total", "cache" => self.name, "level" => level, "outcome" => outcome
        )
        .increment(1);
    }
}

impl<V> Cache<V> {
    fn memory(&self) -> MutexGuard<'_, Memory<V>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
