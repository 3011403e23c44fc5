//! A store with its name, what is known about its health, and the tries each request to it gets.

use super::error::StoreError;
use super::store::{Store, StoreKind, StoreName};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use shared::breaker::{Breaker, BreakerRules};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Kept {
    pub name: StoreName,
    pub store: Store,
    contact: Mutex<Contact>,
    /// Of what is behind a network.
    breaker: Option<Breaker>,
}

/// When a store did last what it was asked, and when not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    pub success_at: Option<DateTime<Utc>>,
    pub failure_at: Option<DateTime<Utc>>,
    /// Of the last failure.
    pub failure: Option<String>,
}

/// How often a request is made, and with what pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    pub tries: u32,
    /// After the first; doubles with each further one. Up to half of a pause is taken off at random, so that what
    /// failed together does not return together.
    pub pause: Duration,
}

impl Default for Tries {
    /// Three tries within about 4 s.
    fn default() -> Self {
        Self { tries: 3, pause: Duration::from_secs(1) }
    }
}

impl Tries {
    /// After failed try number `made`, from 1.
    pub(crate) async fn pause(&self, made: u32) {
        let pause = self.pause.saturating_mul(1 << made.saturating_sub(1).min(10));
        tokio::time::sleep(pause.mul_f64(1.0 - rand::random::<f64>() / 2.0)).await;
    }
}

impl Kept {
    pub fn new(name: StoreName, store: Store, rules: BreakerRules) -> Self {
        let is_remote = store.kind() == StoreKind::S3;
        let breaker = is_remote.then(|| Breaker::new(format!("store {name}"), rules));
        Self { name, store, contact: Mutex::default(), breaker }
    }

    /// Whether to make a request now, and then say with [`Self::noted`] how it went.
    pub fn admitted(&self) -> Result<(), StoreError> {
        let Some(breaker) = &self.breaker else { return Ok(()) };
        breaker.admit(Instant::now()).map_err(|wait| {
            let why = format!("it failed again and again, and is left alone for {} s", wait.as_secs() + 1);
            StoreError::Unavailable { why }
        })
    }

    /// It has answered a question that was asked whether or not it is left alone.
    pub fn answers(&self) {
        if let Some(breaker) = &self.breaker {
            breaker.probed();
        }
    }

    /// What [`tried`] does between two tries: `None` after the pause before the next one.
    pub async fn settled<T>(
        &self,
        tries: Tries,
        made: u32,
        outcome: Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        match self.noted(outcome) {
            Err(error) if error.is_transient() && made < tries.tries => {
                tracing::debug!(store = %self.name, made, %error, "trying again");
                tries.pause(made).await;
                None
            }
            other => Some(other),
        }
    }

    /// Remembers how a request went. That there is no such object, or one already, is a good answer.
    pub fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let failure = match &outcome {
            Ok(_) | Err(StoreError::Missing | StoreError::Exists | StoreError::Locked { .. }) => None,
            Err(error) => Some(error),
        };
        if let Some(breaker) = &self.breaker {
            match failure {
                Some(StoreError::Unavailable { .. }) => breaker.failed(Instant::now()),
                _ => breaker.succeeded(),
            }
        }
        let label = failure.map_or("ok", StoreError::kind);
        metrics::counter!(
            "counterfoil_backup_store_requests_total",
            "store" => self.name.to_string(), "outcome" => label,
        )
        .increment(1);
        let mut contact = self.contact();
        match failure {
            None => contact.success_at = Some(Utc::now()),
            Some(error) => {
                contact.failure_at = Some(Utc::now());
                contact.failure = Some(error.to_string());
            }
        }
        drop(contact);
        outcome
    }

    pub fn contact(&self) -> MutexGuard<'_, Contact> {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a request (an expression that gives a new future each time) until it succeeds, fails for good, or has had its
/// tries. A macro, because a future made by an async closure that borrows cannot be sent to another thread yet.
macro_rules! tried {
    ($kept:expr, $tries:expr, $request:expr) => {{
        let mut made = 0;
        loop {
            made += 1;
            if let Err(left_alone) = $kept.admitted() {
                break Err(left_alone);
            }
            if let Some(outcome) = $kept.settled($tries, made, $request.await).await {
                break outcome;
            }
        }
    }};
}
pub(crate) use tried;

/// Makes a request once, unless the store is left alone.
macro_rules! asked {
    ($kept:expr, $request:expr) => {
        match $kept.admitted() {
            Ok(()) => $kept.noted($request.await),
            Err(left_alone) => Err(left_alone),
        }
    };
}
pub(crate) use asked;

pub(crate) type Sha256Bytes = [u8; 32];

pub(crate) fn sha256(bytes: &[u8]) -> Sha256Bytes {
    Sha256::digest(bytes).into()
}
