//! Connections that stay warm, for the few statements that somebody waits for between a commit and the start of a job.
//!
//! sqlx hands out idle connections in turn. Where ten are kept ready each serves every tenth statement, with a process at the
//! server whose caches are cold by then, and is asked whether it is well when it comes back. Here the one used last is
//! handed out first, and only one that was given back, out of any transaction, rests.
//!
//! They are connections of the system's pool, a few of which rest here and not there. So its bounds and figures hold, what
//! rests here is the rest of the pool's loss, and whoever finds none gets one from the pool: nobody waits for these.
//! Those of tenants are told on their way out of their pool for whom they are, and stay there.

use super::{Store, StoreError, may_be_dead};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One job after the other uses two, at the moment when its doorbells are forgotten while it is leased. More only cool down.
const RESTING_MAX: u32 = 4;

/// Of a pool's connections: others need the rest.
const SHARE: u32 = 4;

#[derive(Debug)]
pub(super) struct Warm {
    resting: Mutex<Resting>,
    resting_max: usize,
    /// How long one is kept from its pool, which alone knows how old it is and ends it in time.
    kept_max: Duration,
    /// One that has rested for longer may have been cut by something on the way.
    rest_max: Duration,
}

#[derive(Debug, Default)]
struct Resting {
    /// The last was used last.
    connections: Vec<Rested>,
    is_closed: bool,
}

#[derive(Debug)]
struct Rested {
    connection: PoolConnection<Postgres>,
    kept_since: Instant,
    at: Instant,
}

/// Closed unless it is given back: whoever drops it has met an error, or given up on an answer that may still come.
#[derive(Debug)]
pub(super) struct WarmConnection {
    connection: Option<PoolConnection<Postgres>>,
    kept_since: Instant,
    /// `None`: its pool's, as any other.
    warm: Option<Arc<Warm>>,
}

impl Store {
    /// For one statement or one transaction.
    pub(super) async fn warm_connection(&self) -> Result<WarmConnection, StoreError> {
        let pool = self.pool();
        let warm = std::ptr::eq(pool, &self.system).then(|| self.warm.clone());
        if let Some((connection, kept_since)) = warm.as_deref().and_then(Warm::take) {
            return Ok(WarmConnection { connection: Some(connection), kept_since, warm });
        }
        let connection = pool.acquire().await?;
        Ok(WarmConnection { connection: Some(connection), kept_since: Instant::now(), warm })
    }
}

impl Warm {
    /// For a pool of so many connections, which ends those that are older than `lifetime` or have rested for `idle`.
    pub(super) fn new(connections_max: u32, lifetime: Duration, idle: Duration) -> Arc<Self> {
        Arc::new(Self {
            resting: Mutex::default(),
            resting_max: RESTING_MAX.min(connections_max / SHARE) as usize,
            kept_max: lifetime / 10,
            rest_max: idle,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn take(&self) -> Option<(PoolConnection<Postgres>, Instant)> {
        loop {
            let rested = self.lock().connections.pop()?;
            if self.is_good(&rested) {
                return Some((rested.connection, rested.kept_since));
            }
            self.part_with(rested);
        }
    }

    fn put(&self, connection: PoolConnection<Postgres>, kept_since: Instant) {
        let mut resting = self.lock();
        // The first has rested longest. Not every process has somebody who sweeps.
        let first = resting.connections.first().is_some_and(|rested| !self.is_good(rested));
        let first = first.then(|| resting.connections.remove(0));
        if !resting.is_closed && resting.connections.len() < self.resting_max {
            resting.connections.push(Rested { connection, kept_since, at: Instant::now() });
        }
        drop(resting);
        if let Some(first) = first {
            self.part_with(first);
        }
    }

    fn is_good(&self, rested: &Rested) -> bool {
        !self.may_be_gone(rested) && rested.kept_since.elapsed() < self.kept_max
    }

    fn may_be_gone(&self, rested: &Rested) -> bool {
        let rested_for = rested.at.elapsed();
        rested_for >= self.rest_max || may_be_dead(rested_for)
    }

    /// Back to the pool, which asks whether it is well, and waits for the answer without a limit: one that may never answer
    /// is closed.
    fn part_with(&self, rested: Rested) {
        if self.may_be_gone(&rested) {
            close(rested.connection);
        }
    }

    pub(super) fn resting(&self) -> u32 {
        self.lock().connections.len() as u32
    }

    /// Parts with those that nobody should use any more, as the pool does with its own.
    pub(super) fn sweep(&self) {
        let mut resting = self.lock();
        let connections = std::mem::take(&mut resting.connections);
        let (good, others): (Vec<_>, Vec<_>) =
            connections.into_iter().partition(|rested| self.is_good(rested));
        resting.connections = good;
        drop(resting);
        others.into_iter().for_each(|rested| self.part_with(rested));
    }

    /// None rests here from now on: a pool that closes waits for its connections.
    pub(super) fn close(&self) {
        let mut resting = self.lock();
        resting.is_closed = true;
        let connections = std::mem::take(&mut resting.connections);
        drop(resting);
        connections.into_iter().for_each(|rested| close(rested.connection));
    }
}

fn close(connection: PoolConnection<Postgres>) {
    drop(connection.detach());
}

impl Drop for Resting {
    fn drop(&mut self) {
        // sqlx gives them back in a task. Without a runtime the process is at its end, and so are they.
        if tokio::runtime::Handle::try_current().is_err() {
            self.connections.drain(..).for_each(std::mem::forget);
        }
    }
}

impl WarmConnection {
    /// Out of any transaction, and with all answers read: whoever is next gets it as they expect.
    pub(super) fn give_back(mut self) {
        if let (Some(connection), Some(warm)) = (self.connection.take(), &self.warm) {
            warm.put(connection, self.kept_since);
        }
    }
}

impl Drop for WarmConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection);
        }
    }
}

impl Deref for WarmConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("there until it is given back")
    }
}

impl DerefMut for WarmConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("there until it is given back")
    }
}
