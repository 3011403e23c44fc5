//! The records of backups, restores and drills. The stores of backups are the truth; these rows are for those who
//! look, and for alarms: whoever writes them goes on when the database is away.

mod alerts;
mod figures;
mod list;
mod removals;
mod restores;
mod stores;

pub use alerts::{AlertSeverity, BackupAlert, NewBackupAlert};
pub use figures::{Archiver, ClassFigures, Verifications, WalArchive};
pub use list::{BackupFilter, BackupLine, CopyLine, RetentionLine, VerifiedBackup};
pub use removals::BackupRemoval;
pub use restores::{RestoreMode, RestoreRecord, RestoreState, RestoreView, record_restore};
pub use stores::BackupStoreRecord;

use super::audit::{Note, Tenant};
use super::{Store, StoreError};
use crate::ids::{BackupId, ProjectId};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

/// An enumeration of the database, with its words.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident, $type:literal, $($(#[$vdoc:meta])* $variant:ident = $label:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize, serde::Deserialize)]
        #[sqlx(type_name = $type, rename_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

use labels;

labels!(
    BackupKind,
    "backup_class",
    Base = "base",
    Full = "full",
    Tenant = "tenant",
    Configuration = "configuration"
);
labels!(BackupState, "backup_state", Committed = "committed", Failed = "failed", Removed = "removed");
labels!(
    CopyState,
    "backup_copy_state",
    Held = "held",
    /// It gets it when it is back.
    Owed = "owed",
    Missing = "missing",
    Damaged = "damaged",
    /// It did not answer.
    Unknown = "unknown",
);
/// A backup as recorded.
#[derive(Debug, Clone, FromRow)]
pub struct BackupRecord {
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
    pub manifest: Option<Value>,
    pub error: Option<String>,
    pub is_protected: bool,
    pub verified_at: Option<DateTime<Utc>>,
    pub verification: Option<Value>,
    pub is_good: Option<bool>,
    pub removed_at: Option<DateTime<Utc>>,
}

/// What one store has of a backup.
#[derive(Debug, Clone, FromRow)]
pub struct BackupCopy {
    pub store: String,
    pub state: CopyState,
    pub checked_at: DateTime<Utc>,
    pub detail: Option<String>,
}

const BACKUP: &str =
    "id, class, state, project_id, group_id, note, started_at, taken_at, finished_at, rows, plain_bytes,
     sealed_bytes, counts, manifest, error, is_protected, verified_at, verification, is_good, removed_at";

impl Store {
    /// Records a backup that was committed or has failed; once, however often it is called. What people said of it
    /// (its protection) and what verification found stay.
    pub async fn record_backup(
        &self,
        backup: &BackupRecord,
        copies: &[(String, CopyState)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO backups (id, class, state, project_id, group_id, note, started_at, taken_at, finished_at,
                                  rows, plain_bytes, sealed_bytes, counts, manifest, error)
             VALUES ($1, $2, $3, $4, $5, left($6, 500), $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(backup.id)
        .bind(backup.class)
        .bind(backup.state)
        .bind(backup.project_id)
        .bind(backup.group_id)
        .bind(&backup.note)
        .bind(backup.started_at)
        .bind(backup.taken_at)
        .bind(backup.finished_at)
        .bind(backup.rows)
        .bind(backup.plain_bytes)
        .bind(backup.sealed_bytes)
        .bind(backup.counts)
        .bind(&backup.manifest)
        .bind(&backup.error)
        .execute(&mut *tx)
        .await?;
        write_copies(&mut tx, backup.id, copies).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records what a verification found; nothing when the backup is not recorded.
    pub async fn record_verification(
        &self,
        id: BackupId,
        is_good: bool,
        verification: &Value,
        copies: &[(String, CopyState)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let known = sqlx::query(
            "UPDATE backups SET verified_at = now(), verification = $2, is_good = $3 WHERE id = $1",
        )
        .bind(id)
        .bind(verification)
        .bind(is_good)
        .execute(&mut *tx)
        .await?;
        if known.rows_affected() > 0 {
            write_copies(&mut tx, id, copies).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A protected backup is not removed by retention. `false`: there is none of that id.
    pub async fn protect_backup(&self, id: BackupId, is_protected: bool) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed =
            sqlx::query("UPDATE backups SET is_protected = $2 WHERE id = $1 AND state = 'committed'")
                .bind(id)
                .bind(is_protected)
                .execute(&mut *tx)
                .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        let shown = serde_json::json!({"is_protected": is_protected});
        Note::of(Tenant::SYSTEM, "backup", id).after(shown).commit(tx).await?;
        Ok(true)
    }

    /// No store has it any more.
    pub async fn record_removed_backup(&self, id: BackupId) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE backups SET state = 'removed', removed_at = now() WHERE id = $1 AND state = 'committed'",
        )
        .bind(id)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Newest first, of one kind or all, before `before`; at most `limit`.
    pub async fn backups(
        &self,
        class: Option<BackupKind>,
        before: Option<BackupId>,
        limit: u32,
    ) -> Result<Vec<BackupRecord>, StoreError> {
        let statement = format!(
            "SELECT {BACKUP} FROM backups WHERE ($1 IS NULL OR class = $1) AND ($2 IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(class)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    pub async fn backup(&self, id: BackupId) -> Result<Option<BackupRecord>, StoreError> {
        let statement = format!("SELECT {BACKUP} FROM backups WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// By store.
    pub async fn backup_copies(&self, id: BackupId) -> Result<Vec<BackupCopy>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT store, state, checked_at, detail FROM backup_copies WHERE backup_id = $1 ORDER BY store",
        )
        .bind(id)
        .fetch_all(self.pool())
        .await?)
    }

    /// Those whose last verification found them lost, and those that people protect: for retention.
    pub async fn marked_backups(&self) -> Result<Vec<(BackupId, bool, bool)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, coalesce(NOT is_good, false), is_protected FROM backups
             WHERE state = 'committed' AND (is_protected OR NOT is_good)",
        )
        .fetch_all(self.pool())
        .await?)
    }
}

async fn write_copies(
    conn: &mut sqlx::PgConnection,
    id: BackupId,
    copies: &[(String, CopyState)],
) -> Result<(), StoreError> {
    for (store, state) in copies {
        sqlx::query(
            "INSERT INTO backup_copies (backup_id, store, state) VALUES ($1, $2, $3)
             ON CONFLICT (backup_id, store) DO UPDATE SET state = excluded.state, checked_at = now()",
        )
        .bind(id)
        .bind(store)
        .bind(state)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
