//! How the stores of backups were when a worker last looked: for those who have no way to the stores themselves.

use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::FromRow;

#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct BackupStoreRecord {
    pub name: String,
    /// `disk` or `s3`.
    pub kind: String,
    /// In the order in which they are read, from 0.
    pub position: i16,
    pub is_reachable: bool,
    /// 0 to 1, where the store says so.
    pub share_used: Option<f64>,
    pub owed_objects: i64,
    pub owed_bytes: i64,
    /// Counted now and then; `None` before the first time.
    pub objects: Option<i64>,
    pub bytes: Option<i64>,
    /// The last word of a store that does not answer.
    pub error: Option<String>,
    pub checked_at: DateTime<Utc>,
}

const COLUMNS: &str = "name, kind, position, is_reachable, share_used, owed_objects, owed_bytes, objects, bytes, error, checked_at";

impl Store {
    /// What is known of the configured stores; those that are not among `stores` any more are forgotten. The counts
    /// stay where they are `None`.
    pub async fn record_backup_stores(&self, stores: &[BackupStoreRecord]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for store in stores {
            sqlx::query(
                "INSERT INTO backup_stores (name, kind, position, is_reachable, share_used, owed_objects, owed_bytes,
                                            objects, bytes, error, checked_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, left($10, 1000), now())
                 ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, position = excluded.position,
                     is_reachable = excluded.is_reachable, share_used = excluded.share_used,
                     owed_objects = excluded.owed_objects, owed_bytes = excluded.owed_bytes,
                     objects = coalesce(excluded.objects, backup_stores.objects),
                     bytes = coalesce(excluded.bytes, backup_stores.bytes), error = excluded.error,
                     checked_at = excluded.checked_at",
            )
            .bind(&store.name)
            .bind(&store.kind)
            .bind(store.position)
            .bind(store.is_reachable)
            .bind(store.share_used)
            .bind(store.owed_objects)
            .bind(store.owed_bytes)
            .bind(store.objects)
            .bind(store.bytes)
            .bind(&store.error)
            .execute(&mut *tx)
            .await?;
        }
        let names: Vec<&str> = stores.iter().map(|store| store.name.as_str()).collect();
        sqlx::query("DELETE FROM backup_stores WHERE name <> ALL ($1)").bind(names).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// In the order in which they are read.
    pub async fn backup_stores(&self) -> Result<Vec<BackupStoreRecord>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM backup_stores ORDER BY position, name");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(self.pool()).await?)
    }
}
