//! Removing what is past its retention, of every kind that has one.

use super::{Store, StoreError};
use std::time::Duration;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CleanedUp {
    pub jobs: u64,
    pub schedule_ticks: u64,
    /// Months of results, by the names of their partitions.
    pub partitions: Vec<String>,
}

impl CleanedUp {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, more: Self) {
        self.jobs += more.jobs;
        self.schedule_ticks += more.schedule_ticks;
        self.partitions.extend(more.partitions);
    }
}

impl Store {
    /// Removes at most `limit` rows of each kind (and one month of results), and prepares the partitions of the months
    /// to come. Call until nothing is removed. One part that fails keeps no other from its turn; the first failure is
    /// returned.
    ///
    /// Looks only at the age of what is finished, so it may run any number of times, anywhere, and needs no lease.
    pub async fn clean_up(&self, retention: Duration, limit: u32) -> Result<CleanedUp, StoreError> {
        let ensured = self.ensure_result_partitions().await;
        let partitions = self.drop_expired_results(retention).await;
        let jobs = self.prune_jobs(retention, limit).await;
        let schedule_ticks = self.prune_schedule_ticks(retention, limit).await;
        ensured?;
        Ok(CleanedUp { partitions: partitions?, jobs: jobs?, schedule_ticks: schedule_ticks? })
    }
}
