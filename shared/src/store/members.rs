//! Members of a project and their roles.

use super::audit::Note;
use super::projects::ProjectRole;
use super::{Store, StoreError};
use crate::ids::{ProjectId, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Member {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub role: ProjectRole,
    pub created_at: DateTime<Utc>,
}

/// What became of a change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    Done,
    /// Nobody of this id is a member.
    Unknown,
    /// Nobody would be left to administer the project.
    LastAdmin,
}

/// Holds the members of a project, so that two last administrators cannot leave at once.
async fn lock(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
) -> Result<MemberChange, StoreError> {
    let members: Vec<(UserId, ProjectRole)> = sqlx::query_as(
        "SELECT user_id, role FROM project_members
         WHERE project_id = $1 AND (role = 'admin' OR user_id = $2) ORDER BY user_id FOR UPDATE",
    )
    .bind(project_id)
    .bind(user_id)
    .fetch_all(conn)
    .await?;
    let is_admin = |(_, role): &&(UserId, ProjectRole)| *role == ProjectRole::Admin;
    Ok(match members.iter().find(|(id, _)| *id == user_id) {
        None => MemberChange::Unknown,
        Some(member) if is_admin(&member) && members.iter().filter(is_admin).count() == 1 => {
            MemberChange::LastAdmin
        }
        Some(_) => MemberChange::Done,
    })
}

/// Makes somebody a member in this role, or gives them this role, in the caller's transaction. `false`: they had it, or
/// there is no such project. The last administrator stays one.
pub async fn assign(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
    role: ProjectRole,
) -> Result<bool, StoreError> {
    if lock(conn, project_id, user_id).await? == MemberChange::LastAdmin {
        return Ok(false);
    }
    let done = sqlx::query(
        "INSERT INTO project_members AS m (project_id, user_id, role)
         SELECT id, $2, $3 FROM projects WHERE id = $1
         ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role WHERE m.role <> excluded.role",
    )
    .bind(project_id)
    .bind(user_id)
    .bind(role)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a membership, and the keys that act for this person in the project, in the caller's transaction.
pub async fn remove(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<MemberChange, StoreError> {
    let change = lock(conn, project_id, user_id).await?;
    if change != MemberChange::Done {
        return Ok(change);
    }
    sqlx::query("DELETE FROM project_members WHERE project_id = $1 AND user_id = $2")
        .bind(project_id)
        .bind(user_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE api_keys SET revoked_at = $3 WHERE project_id = $1 AND user_id = $2 AND revoked_at IS NULL",
    )
    .bind(project_id)
    .bind(user_id)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(change)
}

impl Store {
    /// Members by id, those behind `after`, at most `limit`.
    pub async fn members(
        &self,
        project_id: ProjectId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT m.user_id, u.email, u.name, m.role, m.created_at
             FROM project_members m JOIN users u ON u.id = m.user_id
             WHERE m.project_id = $1 AND ($2::uuid IS NULL OR m.user_id > $2)
             ORDER BY m.user_id LIMIT $3",
        )
        .bind(project_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Gives a member another role.
    pub async fn change_member(
        &self,
        project_id: ProjectId,
        user_id: UserId,
        role: ProjectRole,
    ) -> Result<MemberChange, StoreError> {
        let mut tx = self.begin().await?;
        match lock(&mut tx, project_id, user_id).await? {
            MemberChange::LastAdmin if role == ProjectRole::Admin => return Ok(MemberChange::Done),
            MemberChange::Done => {}
            refused => return Ok(refused),
        }
        sqlx::query("UPDATE project_members SET role = $3 WHERE project_id = $1 AND user_id = $2")
            .bind(project_id)
            .bind(user_id)
            .bind(role)
            .execute(&mut *tx)
            .await?;
        let after = serde_json::json!({"role": role});
        Note::of(project_id, "member", user_id).after(after).commit(tx).await?;
        Ok(MemberChange::Done)
    }

    /// [`remove`] as a change of its own.
    pub async fn remove_member(
        &self,
        project_id: ProjectId,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<MemberChange, StoreError> {
        let mut tx = self.begin().await?;
        let change = remove(&mut tx, project_id, user_id, now).await?;
        if change != MemberChange::Done {
            return Ok(change);
        }
        Note::of(project_id, "member", user_id).commit(tx).await?;
        Ok(MemberChange::Done)
    }
}
