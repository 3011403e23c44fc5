//! One-time tokens: who has one may register, and becomes what it says.

use super::audit::{Note, Tenant};
use super::projects::ProjectRole;
use super::sessions::Digest;
use super::{Store, StoreError};
use crate::ids::{InvitationId, ProjectId, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What an invitation opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    Project(ProjectId, ProjectRole),
    /// The administration of the platform.
    Platform,
}

#[derive(Clone)]
pub struct NewInvitation {
    pub id: InvitationId,
    pub digest: Digest,
    pub opens: Opens,
    /// Whose it is; `None`: of whoever has it.
    pub email: Option<String>,
    /// `None`: somebody at a shell.
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// An invitation as the administrators of its project see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Invitation {
    pub id: InvitationId,
    pub role: ProjectRole,
    pub email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Found {
    id: InvitationId,
    project_id: Option<ProjectId>,
    role: Option<ProjectRole>,
}

/// Takes the invitation for a user of this address, once: membership or administration begin in the caller's
/// transaction. A member keeps the greater role. `None`: there is no such invitation for this address any more.
pub async fn accept(
    conn: &mut PgConnection,
    digest: &Digest,
    user_id: UserId,
    email: &str,
    now: DateTime<Utc>,
) -> Result<Option<Opens>, StoreError> {
    let found: Option<Found> = sqlx::query_as(
        "UPDATE invitations SET used_at = $4, used_by = $2
         WHERE digest = $1 AND used_at IS NULL AND expires_at > $4 AND (email IS NULL OR lower(email) = lower($3))
         RETURNING id, project_id, role",
    )
    .bind(digest.as_slice())
    .bind(user_id)
    .bind(email)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(Found { id, project_id, role }) = found else { return Ok(None) };
    let tenant = Tenant::from(project_id);
    let opens = match (project_id, role) {
        (Some(project_id), Some(role)) => {
            sqlx::query(
                "INSERT INTO project_members (project_id, user_id, role) VALUES ($1, $2, $3)
                 ON CONFLICT (user_id, project_id) DO UPDATE SET role = greatest(project_members.role, excluded.role)",
            )
            .bind(project_id)
            .bind(user_id)
            .bind(role)
            .execute(&mut *conn)
            .await?;
            Opens::Project(project_id, role)
        }
        _ => {
            sqlx::query("UPDATE users SET is_platform_admin = true WHERE id = $1")
                .bind(user_id)
                .execute(&mut *conn)
                .await?;
            Opens::Platform
        }
    };
    let after = serde_json::json!({"user_id": user_id, "role": role, "platform_admin": project_id.is_none()});
    Note::of(tenant, "invitation", id).after(after).write(conn).await?;
    tracing::info!(invitation_id = %id, %user_id, ?opens, "an invitation was accepted");
    Ok(Some(opens))
}

impl Store {
    pub async fn insert_invitation(&self, new: &NewInvitation) -> Result<(), StoreError> {
        let (project_id, role) = match new.opens {
            Opens::Project(project_id, role) => (Some(project_id), Some(role)),
            Opens::Platform => (None, None),
        };
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO invitations
                 (id, digest, project_id, role, makes_platform_admin, email, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(new.id)
        .bind(new.digest.as_slice())
        .bind(project_id)
        .bind(role)
        .bind(new.opens == Opens::Platform)
        .bind(&new.email)
        .bind(new.created_by)
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(&mut *tx)
        .await?;
        let after = serde_json::json!({"role": role, "email": new.email, "expires_at": new.expires_at});
        Note::of(project_id, "invitation", new.id).after(after).commit(tx).await
    }

    /// Whether somebody of this address may use the invitation now.
    pub async fn invitation_is_open(
        &self,
        digest: &Digest,
        email: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM invitations
             WHERE digest = $1 AND used_at IS NULL AND expires_at > $3
               AND (email IS NULL OR lower(email) = lower($2)))",
        )
        .bind(digest.as_slice())
        .bind(email)
        .bind(now)
        .fetch_one(self.pool())
        .await?)
    }

    /// Those of a project that nobody has used yet, newest first, at most `limit`.
    pub async fn invitations(
        &self,
        project_id: ProjectId,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Invitation>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, role, email, created_at, expires_at FROM invitations
             WHERE project_id = $1 AND used_at IS NULL AND expires_at > $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(project_id)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Withdraws an unused invitation of this project. `false`: there is none.
    pub async fn remove_invitation(
        &self,
        project_id: ProjectId,
        id: InvitationId,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("DELETE FROM invitations WHERE id = $1 AND project_id = $2 AND used_at IS NULL")
                .bind(id)
                .bind(project_id)
                .execute(&mut *tx)
                .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        Note::of(project_id, "invitation", id).commit(tx).await?;
        Ok(true)
    }
}
