//! Organisations: what keeps projects together.

use super::audit::{Note, Tenant};
use super::{Store, StoreError};
use crate::ids::{OrganisationId, ProjectId, UserId};
use chrono::{DateTime, Utc};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Organisation {
    pub id: OrganisationId,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// Most organisations that one person may found.
pub const FOUNDED_MAX: i64 = 100;

impl Store {
    /// `None` when the founder has [`FOUNDED_MAX`] already.
    pub async fn found_organisation(
        &self,
        id: OrganisationId,
        name: &str,
        founder: UserId,
    ) -> Result<Option<Organisation>, StoreError> {
        let mut tx = self.begin().await?;
        let founded: Option<Organisation> = sqlx::query_as(
            "INSERT INTO organisations (id, name, founded_by) SELECT $1, $2, $3
             WHERE (SELECT count(*) FROM organisations WHERE founded_by = $3) < $4
             RETURNING id, name, created_at",
        )
        .bind(id)
        .bind(name)
        .bind(founder)
        .bind(FOUNDED_MAX)
        .fetch_optional(&mut *tx)
        .await?;
        if founded.is_some() {
            let after = serde_json::json!({"name": name});
            Note::of(Tenant::SYSTEM, "organisation", id).after(after).commit(tx).await?;
        }
        Ok(founded)
    }

    /// Those the user founded or has a project of; platform administrators see all. Newest first, those older than
    /// `after`, at most `limit`.
    pub async fn organisations(
        &self,
        user_id: UserId,
        after: Option<OrganisationId>,
        limit: u32,
    ) -> Result<Vec<Organisation>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, name, created_at FROM organisations o
             WHERE ($2::uuid IS NULL OR id < $2)
               AND (founded_by = $1
                    OR EXISTS (SELECT FROM users WHERE id = $1 AND is_platform_admin)
                    OR EXISTS (SELECT FROM projects p JOIN project_members m ON m.project_id = p.id
                               WHERE p.organisation_id = o.id AND m.user_id = $1))
             ORDER BY id DESC LIMIT $3",
        )
        .bind(user_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Whether the user may add projects: its founder, the administrators of its projects and of the platform.
    pub async fn may_add_projects(&self, user_id: UserId, id: OrganisationId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT FROM organisations o
                 WHERE o.id = $2
                   AND (o.founded_by = $1
                        OR EXISTS (SELECT FROM users WHERE id = $1 AND is_platform_admin)
                        OR EXISTS (SELECT FROM projects p JOIN project_members m ON m.project_id = p.id
                                   WHERE p.organisation_id = o.id AND m.user_id = $1 AND m.role = 'admin')))",
        )
        .bind(user_id)
        .bind(id)
        .fetch_one(self.pool())
        .await?)
    }

    /// Where a project belongs; `None`: there is no such project.
    pub async fn organisation_of(&self, id: ProjectId) -> Result<Option<OrganisationId>, StoreError> {
        Ok(sqlx::query_scalar("SELECT organisation_id FROM projects WHERE id = $1")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }
}
