//! The records of restores and drills.

use super::labels;
use crate::ids::{BackupId, RestoreId};
use crate::job::{JobProgress, JobState};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

labels!(
    RestoreMode,
    "restore_mode",
    Full = "full",
    Merge = "merge",
    PointInTime = "point_in_time",
    Drill = "drill"
);
labels!(RestoreState, "restore_state", Running = "running", Succeeded = "succeeded", Failed = "failed");

/// A restore or a drill as recorded.
#[derive(Debug, Clone, FromRow)]
pub struct RestoreRecord {
    pub id: RestoreId,
    pub backup_id: BackupId,
    pub mode: RestoreMode,
    pub is_dry_run: bool,
    pub state: RestoreState,
    pub target: Option<String>,
    pub tenants: Vec<Uuid>,
    pub asked_by: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub report: Option<Value>,
    pub error: Option<String>,
}

/// A restore with the job that performs it, which has its id; one from a shell has none.
#[derive(Debug, Clone, FromRow)]
pub struct RestoreView {
    #[sqlx(flatten)]
    pub record: RestoreRecord,
    pub job_state: Option<JobState>,
    pub job_error: Option<String>,
    pub progress: Option<Json<JobProgress>>,
}

const RESTORE: &str =
    "r.id, r.backup_id, r.mode, r.is_dry_run, r.state, r.target, r.tenants, r.asked_by, r.started_at,
     r.finished_at, r.report, r.error";

impl Store {
    /// Writes a restore down when it begins, and again when it has ended: into another database then, perhaps, which
    /// does not know its beginning.
    pub async fn record_restore(&self, restore: &RestoreRecord) -> Result<(), StoreError> {
        record_restore(&mut *self.pool().acquire().await?, restore).await
    }

    /// Newest first, of one mode or all, before `before`; at most `limit`.
    pub async fn restores(
        &self,
        mode: Option<RestoreMode>,
        before: Option<RestoreId>,
        limit: u32,
    ) -> Result<Vec<RestoreView>, StoreError> {
        let statement = format!(
            "SELECT {RESTORE}, j.state AS job_state, j.error AS job_error, j.progress
             FROM restores r LEFT JOIN jobs j ON j.id = r.id
             WHERE ($1 IS NULL OR r.mode = $1) AND ($2 IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(mode)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    pub async fn restore(&self, id: RestoreId) -> Result<Option<RestoreView>, StoreError> {
        let statement = format!(
            "SELECT {RESTORE}, j.state AS job_state, j.error AS job_error, j.progress
             FROM restores r LEFT JOIN jobs j ON j.id = r.id WHERE r.id = $1"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// Restores that nobody will end: their job is final, or they began at a shell more than two days ago. Returns how
    /// many there were.
    pub async fn end_abandoned_restores(&self) -> Result<u64, StoreError> {
        let ended = sqlx::query(
            "UPDATE restores r SET state = 'failed', finished_at = now(),
                    error = CASE WHEN j.state = 'cancelled' THEN 'cancelled'
                                 ELSE coalesce(j.error, 'whoever performed it ended before it did') END
             FROM restores o LEFT JOIN jobs j ON j.id = o.id
             WHERE o.id = r.id AND r.state = 'running'
               AND (j.state IN ('completed', 'cancelled', 'dead')
                    OR j.id IS NULL AND r.started_at < now() - interval '2 days')",
        )
        .execute(self.pool())
        .await?;
        Ok(ended.rows_affected())
    }

    /// When a backup was last restored, in earnest or as a drill, and found to be what it should be.
    pub async fn last_proven_restore(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT max(finished_at) FROM restores
             WHERE state = 'succeeded' AND NOT is_dry_run AND mode IN ('full', 'drill', 'point_in_time')",
        )
        .fetch_one(self.pool())
        .await?)
    }
}

/// As [`Store::record_restore`], on the caller's connection.
pub async fn record_restore(conn: &mut PgConnection, restore: &RestoreRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO restores (id, backup_id, mode, is_dry_run, state, target, tenants, asked_by, started_at,
                                   finished_at, report, error)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, finished_at = excluded.finished_at,
                 report = excluded.report, error = excluded.error",
    )
    .bind(restore.id)
    .bind(restore.backup_id)
    .bind(restore.mode)
    .bind(restore.is_dry_run)
    .bind(restore.state)
    .bind(&restore.target)
    .bind(&restore.tenants)
    .bind(&restore.asked_by)
    .bind(restore.started_at)
    .bind(restore.finished_at)
    .bind(&restore.report)
    .bind(&restore.error)
    .execute(conn)
    .await?;
    Ok(())
}
