//! The ledger, read and pruned.

use super::Took;
use crate::ids::{JobId, ScheduleId};
use crate::schedule::TickOutcome;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use std::time::Duration;

/// Ticks kept of one schedule whatever their age: nine months of an hourly one, three hours of one that runs each
/// second.
pub const TICKS_MAX: i64 = 10_000;

/// What was decided about one due time, or a stretch of them.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Tick {
    pub due_at: DateTime<Utc>,
    /// The tick stands for every due time from this one through `due_at`.
    pub covers_from: Option<DateTime<Utc>>,
    pub outcome: TickOutcome,
    /// The job may be pruned by now.
    pub job_id: Option<JobId>,
    pub reason: Option<String>,
    /// The files that the run takes, of a reconciliation.
    pub took: Option<Json<Took>>,
    pub decided_at: DateTime<Utc>,
}

impl Store {
    /// Ticks of a schedule, newest first, those due before `before`, at most `limit`.
    pub async fn schedule_ticks(
        &self,
        id: ScheduleId,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<Tick>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT due_at, covers_from, outcome, job_id, reason, took, decided_at FROM schedule_ticks
             WHERE schedule_id = $1 AND ($2::timestamptz IS NULL OR due_at < $2)
             ORDER BY due_at DESC LIMIT $3",
        )
        .bind(id)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Deletes ticks that were decided more than `retention` ago, and of each schedule those beyond the newest
    /// [`TICKS_MAX`]; of each at most `limit`.
    pub async fn prune_schedule_ticks(&self, retention: Duration, limit: u32) -> Result<u64, StoreError> {
        let old = sqlx::query(
            "DELETE FROM schedule_ticks WHERE (schedule_id, due_at) IN (
                 SELECT schedule_id, due_at FROM schedule_ticks
                 WHERE decided_at < now() - $1 * interval '1 second'
                 ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind(retention.as_secs_f64())
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        let surplus = sqlx::query(
            "DELETE FROM schedule_ticks WHERE (schedule_id, due_at) IN (
                 SELECT tick.schedule_id, tick.due_at
                 FROM schedules
                 CROSS JOIN LATERAL (
                     SELECT due_at FROM schedule_ticks WHERE schedule_id = schedules.id
                     ORDER BY due_at DESC OFFSET $1 LIMIT 1
                 ) AS newest_surplus
                 CROSS JOIN LATERAL (
                     SELECT schedule_id, due_at FROM schedule_ticks
                     WHERE schedule_id = schedules.id AND due_at <= newest_surplus.due_at
                     ORDER BY due_at LIMIT $2
                 ) AS tick
                 LIMIT $2)",
        )
        .bind(TICKS_MAX)
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(old.rows_affected() + surplus.rows_affected())
    }
}
