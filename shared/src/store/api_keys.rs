//! Keys of machines: one project, one role below administrator, an end. How a key is checked: [`super::access`].

use super::audit::Note;
use super::projects::ProjectRole;
use super::sessions::Digest;
use super::{Store, StoreError};
use crate::ids::{ApiKeyId, ProjectId, UserId};
use chrono::{DateTime, Utc};

/// Most keys of a project that have not been revoked.
pub const KEYS_MAX: i64 = 100;

#[derive(Clone)]
pub struct NewApiKey {
    pub id: ApiKeyId,
    pub project_id: ProjectId,
    /// For whom it acts.
    pub user_id: UserId,
    pub name: String,
    /// Below administrator (`api_keys_role_below_admin`).
    pub role: ProjectRole,
    pub prefix: String,
    pub digest: Digest,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub user_id: UserId,
    pub name: String,
    pub role: ProjectRole,
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Store {
    /// `false` when the project has [`KEYS_MAX`] already.
    pub async fn insert_api_key(&self, new: &NewApiKey) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO api_keys (id, project_id, user_id, name, role, prefix, digest, created_at, expires_at)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
             WHERE (SELECT count(*) FROM api_keys WHERE project_id = $2 AND revoked_at IS NULL) < $10",
        )
        .bind(new.id)
        .bind(new.project_id)
        .bind(new.user_id)
        .bind(&new.name)
        .bind(new.role)
        .bind(&new.prefix)
        .bind(new.digest.as_slice())
        .bind(new.created_at)
        .bind(new.expires_at)
        .bind(KEYS_MAX)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let after = serde_json::json!({
            "name": new.name, "role": new.role, "prefix": new.prefix, "expires_at": new.expires_at,
        });
        Note::of(new.project_id, "api_key", new.id).after(after).commit(tx).await?;
        Ok(true)
    }

    /// Those of a project that have not been revoked, expired ones too, newest first.
    pub async fn api_keys(&self, project_id: ProjectId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, user_id, name, role, prefix, created_at, expires_at, last_used_at
             FROM api_keys WHERE project_id = $1 AND revoked_at IS NULL ORDER BY id DESC",
        )
        .bind(project_id)
        .fetch_all(self.pool())
        .await?)
    }

    /// `false`: the project has no such key.
    pub async fn revoke_api_key(
        &self,
        project_id: ProjectId,
        id: ApiKeyId,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND project_id = $2 AND revoked_at IS NULL",
        )
        .bind(id)
        .bind(project_id)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        Note::of(project_id, "api_key", id).commit(tx).await?;
        Ok(true)
    }
}
