//! Backups as lists show them, and as retention looks at them.

use super::{BackupKind, BackupState, CopyState};
use crate::ids::{BackupId, ProjectId};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

/// Which ones; all together have to fit.
#[derive(Debug, Clone, Copy, Default)]
pub struct BackupFilter {
    pub class: Option<BackupKind>,
    pub state: Option<BackupState>,
    pub project_id: Option<ProjectId>,
}

/// A backup without its manifest, which may be long.
#[derive(Debug, Clone, FromRow)]
pub struct BackupLine {
    pub id: BackupId,
    pub class: BackupKind,
    pub state: BackupState,
    pub project_id: Option<ProjectId>,
    pub group_id: Option<Uuid>,
    pub note: Option<String>,
    pub started_at: DateTime<Utc>,
    pub taken_at: Option<DateTime<Utc>>,
    pub finished_at: DateTime<Utc>,
    pub rows: Option<i64>,
    pub plain_bytes: Option<i64>,
    pub sealed_bytes: Option<i64>,
    pub counts: Option<bool>,
    pub error: Option<String>,
    pub is_protected: bool,
    pub verified_at: Option<DateTime<Utc>>,
    pub is_good: Option<bool>,
    pub removed_at: Option<DateTime<Utc>>,
    /// By store.
    pub copies: Json<Vec<CopyLine>>,
}

/// What one store has of it.
#[derive(Debug, Clone, Deserialize)]
pub struct CopyLine {
    pub store: String,
    pub state: CopyState,
    pub checked_at: DateTime<Utc>,
}

/// What the last verification said of a backup.
#[derive(Debug, Clone, FromRow)]
pub struct VerifiedBackup {
    pub id: BackupId,
    /// `None`: it never was.
    pub verified_at: Option<DateTime<Utc>>,
    pub is_good: Option<bool>,
}

/// What planning retention must know of a committed backup; see `backup::retention`.
#[derive(Debug, Clone, FromRow)]
pub struct RetentionLine {
    pub id: BackupId,
    pub class: BackupKind,
    pub database: Option<String>,
    pub project_id: Option<ProjectId>,
    pub taken_at: DateTime<Utc>,
    /// The last verification found it lost.
    pub is_lost: bool,
    pub is_protected: bool,
    pub sealed_bytes: i64,
    /// As in the manifest.
    pub wal: Option<Json<Value>>,
}

const LINE: &str = "b.id, b.class, b.state, b.project_id, b.group_id, b.note, b.started_at, b.taken_at, b.finished_at,
     b.rows, b.plain_bytes, b.sealed_bytes, b.counts, b.error, b.is_protected, b.verified_at, b.is_good, b.removed_at,
     (SELECT coalesce(jsonb_agg(jsonb_build_object('store', c.store, 'state', c.state, 'checked_at', c.checked_at)
                                ORDER BY c.store), '[]')
      FROM backup_copies c WHERE c.backup_id = b.id) AS copies";

impl Store {
    /// Newest first, before `before`; at most `limit`. By a range of an index, except for states, which are looked
    /// for.
    pub async fn backup_lines(
        &self,
        filter: &BackupFilter,
        before: Option<BackupId>,
        limit: u32,
    ) -> Result<Vec<BackupLine>, StoreError> {
        let statement = format!(
            "SELECT {LINE} FROM backups b
             WHERE ($1 IS NULL OR b.class = $1) AND ($2 IS NULL OR b.state = $2)
               AND ($3 IS NULL OR b.project_id = $3) AND ($4 IS NULL OR b.id < $4)
             ORDER BY b.id DESC LIMIT $5"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(filter.class)
            .bind(filter.state)
            .bind(filter.project_id)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    pub async fn backup_line(&self, id: BackupId) -> Result<Option<BackupLine>, StoreError> {
        let statement = format!("SELECT {LINE} FROM backups b WHERE b.id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// Every backup that the stores should have; retention itself bounds how many.
    pub async fn backups_for_retention(&self) -> Result<Vec<RetentionLine>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, class, manifest #>> '{of,database}' AS database, project_id, taken_at,
                    coalesce(NOT is_good, false) AS is_lost, is_protected, coalesce(sealed_bytes, 0) AS sealed_bytes,
                    nullif(manifest -> 'wal', 'null') AS wal
             FROM backups WHERE state = 'committed' AND taken_at IS NOT NULL ORDER BY id DESC",
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// What verification said of every backup that the stores should have.
    pub async fn backups_verified(&self) -> Result<Vec<VerifiedBackup>, StoreError> {
        Ok(sqlx::query_as("SELECT id, verified_at, is_good FROM backups WHERE state = 'committed'")
            .fetch_all(self.pool())
            .await?)
    }

    /// Committed backups by when they were last verified, those never verified first, newest first among equals.
    pub async fn backups_to_verify(&self) -> Result<Vec<BackupId>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM backups WHERE state = 'committed' ORDER BY verified_at NULLS FIRST, id DESC",
        )
        .fetch_all(self.pool())
        .await?)
    }
}
