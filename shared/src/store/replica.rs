//! A read replica: lists and results may come from it, for whoever has written nothing that it lacks.
//!
//! After each change somebody makes, the primary's position in its log is noted beside their session or key (`last_writes`,
//! in the primary, so that it holds for all processes). A reader is sent to the replica once that has replayed as much;
//! its progress is asked for ten times a second. A replica that does not answer, or is none, is not used.

use super::{PoolLimits, Store, StoreError};
use crate::chain;
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PERIOD: Duration = Duration::from_millis(100);
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// After a failure, doubling from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Replica {
    store: Store,
    /// As tenants see it.
    tenants: Store,
    /// Bytes of the log; 0: not usable.
    replayed: Arc<AtomicU64>,
}

impl Replica {
    /// Connects on first use; used once [`Self::follow`] has seen it answer.
    pub fn new(options: PgConnectOptions, limits: &PoolLimits) -> Self {
        let store = Store::new(options, limits);
        Self { tenants: store.for_tenants(), store, replayed: Arc::default() }
    }

    /// Asks how far it is until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        let mut pause = PAUSES.0;
        loop {
            let asked = tokio::time::timeout(ANSWER_MAX, self.ask()).await;
            let position = match asked {
                Ok(Ok(position)) => position,
                Ok(Err(error)) => {
                    self.lose(&chain(&error));
                    None
                }
                Err(_) => {
                    self.lose("no answer in time");
                    None
                }
            };
            self.replayed.store(position.unwrap_or(0), Ordering::SeqCst);
            let wait = if position.is_some() { PERIOD } else { pause };
            pause = if position.is_some() { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
            tokio::select! {
                () = stop.cancelled() => return self.store.close().await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn lose(&self, why: &str) {
        if self.replayed.load(Ordering::SeqCst) != 0 {
            tracing::warn!(why, "the replica is not used; the primary answers all");
        }
    }

    /// `None`: it is no replica (any more), and what it has may be another history.
    async fn ask(&self) -> Result<Option<u64>, StoreError> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint END",
        )
        .fetch_one(&self.store.system)
        .await?;
        Ok(position.and_then(|position| u64::try_from(position).ok()))
    }

    /// For tenants, if it has replayed as much.
    pub fn at(&self, position: u64) -> Option<&Store> {
        let replayed = self.replayed.load(Ordering::SeqCst);
        let is_there = replayed > 0 && replayed >= position;
        let by = if is_there { "replica" } else { "primary" };
        metrics::counter!("counterfoil_replica_reads_total", "by" => by).increment(1);
        is_there.then_some(&self.tenants)
    }
}

impl Store {
    /// Notes that somebody has written, after their commit.
    pub async fn note_write(&self, credential_id: Uuid) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO last_writes AS w (credential_id, position) VALUES ($1, pg_current_wal_insert_lsn())
             ON CONFLICT (credential_id) DO UPDATE
             SET position = greatest(w.position, excluded.position), written_at = now()",
        )
        .bind(credential_id)
        .execute(&self.system)
        .await?;
        Ok(())
    }

    /// Up to where somebody has written, within the last day; 0: nothing.
    pub async fn last_write(&self, credential_id: Uuid) -> Result<u64, StoreError> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT (position - '0/0'::pg_lsn)::bigint FROM last_writes WHERE credential_id = $1",
        )
        .bind(credential_id)
        .fetch_optional(&self.system)
        .await?;
        Ok(position.and_then(|position| u64::try_from(position).ok()).unwrap_or(0))
    }
}
