//! Addresses that bounced. Nothing is sent to them until somebody clears them.

use crate::store::audit::{Note, Tenant};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Bounce {
    /// In lower case.
    pub address: String,
    /// What the mail server said.
    pub says: String,
    pub bounced_at: DateTime<Utc>,
}

pub(super) async fn note(conn: &mut PgConnection, address: &str, says: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO mail_bounces (address, says) VALUES (lower($1), left($2, 1000))
         ON CONFLICT (address) DO UPDATE SET says = excluded.says, bounced_at = now()",
    )
    .bind(address)
    .bind(says)
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// In the order of their addresses, those after `after`.
    pub async fn bounces(&self, after: Option<&str>, limit: u32) -> Result<Vec<Bounce>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT address, says, bounced_at FROM mail_bounces
             WHERE $1::text IS NULL OR address > $1 ORDER BY address LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Mail goes to the address again. `false`: it had not bounced.
    pub async fn clear_bounce(&self, address: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed = sqlx::query("DELETE FROM mail_bounces WHERE address = lower($1)")
            .bind(address)
            .execute(&mut *tx)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        let before = json!({"address": address.to_lowercase()});
        Note::of(Tenant::SYSTEM, "mail_bounce", address.to_lowercase()).before(before).commit(tx).await?;
        Ok(true)
    }
}
