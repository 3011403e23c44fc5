//! Whether what no rule keeps really goes.

use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::FromRow;

/// What the last removal of backups has left.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BackupRemoval {
    /// Backups and archived WAL files that no rule keeps, and that a store locks.
    pub locked: i64,
    /// Those that are still there for another reason.
    pub failed: i64,
    pub ended_at: DateTime<Utc>,
    /// Of the last one that nothing failed in; `None`: there was none.
    pub complete_at: Option<DateTime<Utc>>,
}

impl Store {
    /// A removal of backups has ended: what no rule keeps and is still there, because a store locks it and for other
    /// reasons.
    pub async fn record_backup_removal(&self, locked: u64, failed: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO backup_removals (locked, failed, complete_at)
             SELECT $1, $2, CASE WHEN $2 = 0 THEN now() END
             ON CONFLICT (is_it) DO UPDATE
             SET locked = excluded.locked, failed = excluded.failed, ended_at = now(),
                 complete_at = coalesce(excluded.complete_at, backup_removals.complete_at)",
        )
        .bind(i64::try_from(locked).unwrap_or(i64::MAX))
        .bind(i64::try_from(failed).unwrap_or(i64::MAX))
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// When the oldest backup that is there was complete; `None`: there is none.
    pub async fn oldest_backup_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar("SELECT min(finished_at) FROM backups WHERE state = 'committed'")
            .fetch_one(self.pool())
            .await?)
    }

    /// `None`: there was none.
    pub async fn backup_removal(&self) -> Result<Option<BackupRemoval>, StoreError> {
        Ok(sqlx::query_as("SELECT locked, failed, ended_at, complete_at FROM backup_removals")
            .fetch_optional(self.pool())
            .await?)
    }
}
