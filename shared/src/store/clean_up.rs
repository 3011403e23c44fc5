//! Removing what is past its retention, of every kind that has one.

use super::{Store, StoreError};
use std::time::Duration;

/// How long what is finished is kept, at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs, batches, results, and the ledger of schedules.
    pub finished: Duration,
    pub idempotency_keys: Duration,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CleanedUp {
    pub jobs: u64,
    pub batches: u64,
    pub idempotency_keys: u64,
    pub schedule_ticks: u64,
    /// Sessions, invitations, failed logins and used limits.
    pub identity: u64,
    /// With their deliveries and what is in inboxes.
    pub notifications: u64,
    /// That had been silent for long.
    pub workers: u64,
    /// Months of results, by the names of their partitions.
    pub partitions: Vec<String>,
}

impl CleanedUp {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Rows that were removed one by one.
    pub fn rows(&self) -> u64 {
        self.jobs
            + self.batches
            + self.idempotency_keys
            + self.schedule_ticks
            + self.workers
            + self.identity
            + self.notifications
    }

    pub fn add(&mut self, more: Self) {
        self.jobs += more.jobs;
        self.batches += more.batches;
        self.idempotency_keys += more.idempotency_keys;
        self.schedule_ticks += more.schedule_ticks;
        self.identity += more.identity;
        self.notifications += more.notifications;
        self.workers += more.workers;
        self.partitions.extend(more.partitions);
    }
}

impl Store {
    /// Removes at most `limit` rows of each kind (and one month of results), and prepares the partitions of the months
    /// to come. Call until nothing is removed. One part that fails keeps no other from its turn; the first failure is
    /// returned.
    ///
    /// Looks only at the age of what is finished, so it may run any number of times, anywhere, and needs no lease.
    pub async fn clean_up(&self, retention: &Retention, limit: u32) -> Result<CleanedUp, StoreError> {
        let ensured = self.ensure_result_partitions().await;
        let expired = self.drop_expired_results(retention.finished, limit).await;
        let strays = self.remove_stray_results(retention.finished, limit).await;
        let jobs = self.prune_jobs(retention.finished, limit).await;
        let batches = self.prune_batches(retention.finished, limit).await;
        let keys = self.prune_idempotency_keys(retention.idempotency_keys, limit).await;
        let schedule_ticks = self.prune_schedule_ticks(retention.finished, limit).await;
        let identity = self.prune_identity(limit).await;
        let notifications = self.prune_notifications(retention.finished, limit).await;
        let workers = self.prune_workers(limit).await;
        ensured?;
        let expired = expired?;
        Ok(CleanedUp {
            partitions: expired.partitions,
            jobs: jobs? + strays? + expired.jobs,
            batches: batches?,
            idempotency_keys: keys?,
            schedule_ticks: schedule_ticks?,
            identity: identity?,
            notifications: notifications?,
            workers: workers?,
        })
    }

    /// Sessions a week after their end (until then a stolen token that comes back is still known), invitations that
    /// nobody may use any more, failures and limits that count no more.
    async fn prune_identity(&self, limit: u32) -> Result<u64, StoreError> {
        let mut removed = 0;
        for statement in [
            "DELETE FROM sessions WHERE id IN
                 (SELECT id FROM sessions WHERE expires_at < now() - interval '7 days' LIMIT $1)",
            "DELETE FROM invitations WHERE id IN
                 (SELECT id FROM invitations WHERE expires_at < now() - interval '30 days' LIMIT $1)",
            "DELETE FROM login_failures WHERE subject IN
                 (SELECT subject FROM login_failures WHERE last_at < now() - interval '2 days' LIMIT $1)",
            "DELETE FROM provider_logins WHERE state IN
                 (SELECT state FROM provider_logins WHERE expires_at < now() LIMIT $1)",
            "DELETE FROM last_writes WHERE credential_id IN
                 (SELECT credential_id FROM last_writes WHERE written_at < now() - interval '1 day' LIMIT $1)",
            "DELETE FROM rate_limits WHERE subject IN
                 (SELECT subject FROM rate_limits WHERE paid_off_at < now() LIMIT $1 FOR UPDATE SKIP LOCKED)",
        ] {
            removed +=
                sqlx::query(statement).bind(i64::from(limit)).execute(self.pool()).await?.rows_affected();
        }
        Ok(removed)
    }
}
