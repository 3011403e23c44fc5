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
        self.jobs + self.batches + self.idempotency_keys + self.schedule_ticks + self.workers
    }

    pub fn add(&mut self, more: Self) {
        self.jobs += more.jobs;
        self.batches += more.batches;
        self.idempotency_keys += more.idempotency_keys;
        self.schedule_ticks += more.schedule_ticks;
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
        let partitions = self.drop_expired_results(retention.finished).await;
        let jobs = self.prune_jobs(retention.finished, limit).await;
        let batches = self.prune_batches(retention.finished, limit).await;
        let keys = self.prune_idempotency_keys(retention.idempotency_keys, limit).await;
        let schedule_ticks = self.prune_schedule_ticks(retention.finished, limit).await;
        let workers = self.prune_workers(limit).await;
        ensured?;
        Ok(CleanedUp {
            partitions: partitions?,
            jobs: jobs?,
            batches: batches?,
            idempotency_keys: keys?,
            schedule_ticks: schedule_ticks?,
            workers: workers?,
        })
    }
}
