//! Worker processes as they tell of themselves. Nothing depends on it but those who look: what a worker may do is
//! decided by its leases alone.

use super::audit::{Note, Tenant};
use super::{Store, StoreError};
use crate::ids::JobId;
use crate::job::JobKind;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::time::Duration;

/// How often a worker tells that it lives.
pub const HEARTBEAT_PERIOD: Duration = Duration::from_secs(5);

/// A worker whose last heartbeat is older is taken for dead.
pub const SILENT_AFTER: Duration = Duration::from_secs(16);

/// How long a worker that went silent is still shown.
pub const SILENT_SHOWN: Duration = Duration::from_secs(24 * 3600);

/// Most silent workers kept, the newest: processes that are killed every second leave one each.
pub const SILENT_MAX: u32 = 1000;

/// Running jobs shown of one worker.
const JOBS_SHOWN: i64 = 100;

/// A worker that begins.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Never used again by another process.
    pub name: String,
    pub version: &'static str,
    pub kinds: Vec<JobKind>,
    /// Jobs at once, of each kind; 1 to 1000.
    pub slots: u32,
}

/// A worker as anybody may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct WorkerView {
    pub name: String,
    pub version: String,
    pub kinds: Vec<String>,
    pub slots: i32,
    pub started_at: DateTime<Utc>,
    pub heartbeat_at: DateTime<Utc>,
    /// Takes nothing new: it stops, or was asked to and has heard it.
    pub is_draining: bool,
    /// Since when an operator wants it to take nothing new.
    pub drain_asked_at: Option<DateTime<Utc>>,
    pub drain_asked_by: Option<String>,
    /// Its last heartbeat is longer ago than [`SILENT_AFTER`].
    pub is_silent: bool,
    /// Leases it holds.
    pub running: i64,
    /// The oldest 100 of them.
    pub job_ids: Vec<JobId>,
}

/// See [`Store::worker_counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct WorkerCounts {
    pub live: i64,
    pub draining: i64,
    pub silent: i64,
}

impl Store {
    /// Tells that this worker lives; makes its row when there is none. Goes the way of the renewals, past the
    /// transactions of jobs. `true`: somebody wants it to take nothing new.
    pub async fn heartbeat(&self, worker: &NewWorker, is_draining: bool) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "INSERT INTO workers (name, version, kinds, slots, is_draining) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET heartbeat_at = now(), is_draining = excluded.is_draining
             RETURNING drain_asked_at IS NOT NULL",
        )
        .bind(&worker.name)
        .bind(worker.version)
        .bind(worker.kinds.iter().map(JobKind::as_str).collect::<Vec<_>>())
        .bind(i32::try_from(worker.slots).unwrap_or(i32::MAX))
        .bind(is_draining)
        .fetch_one(&self.renewals)
        .await?)
    }

    /// Wants a worker to finish what it runs and to take nothing new, until [`Store::let_worker_take_jobs`]. It hears of
    /// it with its next heartbeat. One that was asked already keeps who asked first. `false`: there is none of that
    /// name.
    pub async fn drain_worker(&self, name: &str, asked_by: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let asked_at: Option<DateTime<Utc>> = sqlx::query_scalar(
            "UPDATE workers SET drain_asked_at = coalesce(drain_asked_at, now()),
                                drain_asked_by = coalesce(drain_asked_by, $2)
             WHERE name = $1 RETURNING drain_asked_at",
        )
        .bind(name)
        .bind(asked_by)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(asked_at) = asked_at else { return Ok(false) };
        Note::of(Tenant::SYSTEM, "worker", name)
            .after(json!({"drain_asked_at": asked_at}))
            .commit(tx)
            .await?;
        Ok(true)
    }

    /// A worker may take jobs again. `false`: there is none of that name.
    pub async fn let_worker_take_jobs(&self, name: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let before: Option<(Option<DateTime<Utc>>,)> = sqlx::query_as(
            "WITH before AS (SELECT name, drain_asked_at FROM workers WHERE name = $1 FOR UPDATE)
             UPDATE workers SET drain_asked_at = NULL, drain_asked_by = NULL FROM before
             WHERE workers.name = before.name RETURNING before.drain_asked_at",
        )
        .bind(name)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((before,)) = before else { return Ok(false) };
        Note::of(Tenant::SYSTEM, "worker", name).before(json!({"drain_asked_at": before})).commit(tx).await?;
        Ok(true)
    }

    /// The worker has ended in order.
    pub async fn forget_worker(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM workers WHERE name = $1").bind(name).execute(&self.renewals).await?;
        Ok(())
    }

    /// How many live, drain, and have gone silent.
    pub async fn worker_counts(&self) -> Result<WorkerCounts, StoreError> {
        Ok(sqlx::query_as(
            "WITH seen AS (
                 SELECT is_draining, heartbeat_at < now() - $1 * interval '1 second' AS is_silent FROM workers
             )
             SELECT count(*) FILTER (WHERE NOT is_silent AND NOT is_draining) AS live,
                    count(*) FILTER (WHERE NOT is_silent AND is_draining) AS draining,
                    count(*) FILTER (WHERE is_silent) AS silent
             FROM seen",
        )
        .bind(SILENT_AFTER.as_secs_f64())
        .fetch_one(self.pool())
        .await?)
    }

    /// Those that live first, then the silent ones, newest first; at most `limit`.
    pub async fn workers(&self, limit: u32) -> Result<Vec<WorkerView>, StoreError> {
        Ok(sqlx::query_as(
            "WITH running AS (
                 SELECT lease_worker, count(*) AS jobs, (array_agg(id ORDER BY id))[1:$3] AS ids
                 FROM jobs WHERE state = 'running' GROUP BY lease_worker
             )
             SELECT name, version, kinds, slots, started_at, heartbeat_at, is_draining, drain_asked_at,
                    drain_asked_by,
                    heartbeat_at < now() - $1 * interval '1 second' AS is_silent,
                    coalesce(running.jobs, 0) AS running, coalesce(running.ids, '{}') AS job_ids
             FROM workers LEFT JOIN running ON running.lease_worker = workers.name
             ORDER BY is_silent, started_at DESC, name LIMIT $2",
        )
        .bind(SILENT_AFTER.as_secs_f64())
        .bind(i64::from(limit))
        .bind(JOBS_SHOWN)
        .fetch_all(self.pool())
        .await?)
    }

    /// Forgets workers that have been silent for [`SILENT_SHOWN`], and of the other silent ones all but the newest
    /// [`SILENT_MAX`]; at most `limit`.
    pub async fn prune_workers(&self, limit: u32) -> Result<u64, StoreError> {
        let pruned = sqlx::query(
            "DELETE FROM workers WHERE name IN (
                 SELECT name FROM (
                     SELECT name, heartbeat_at, row_number() OVER (ORDER BY heartbeat_at DESC) AS place
                     FROM workers WHERE heartbeat_at < now() - $1 * interval '1 second'
                 ) AS silent
                 WHERE heartbeat_at < now() - $2 * interval '1 second' OR place > $3
                 LIMIT $4)",
        )
        .bind(SILENT_AFTER.as_secs_f64())
        .bind(SILENT_SHOWN.as_secs_f64())
        .bind(i64::from(SILENT_MAX))
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(pruned.rows_affected())
    }
}
