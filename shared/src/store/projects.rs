//! Projects (tenants), their members, and who may do what in them.

use super::changes::Seen;
use super::{Store, StoreError};
use crate::ids::{OrganisationId, ProjectId, UserId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// What a member may do; each role may do everything the ones before it may. Postgres has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "project_role", rename_all = "snake_case")]
pub enum ProjectRole {
    /// Reads everything of the project.
    Viewer,
    /// Uploads, submits, cancels, deletes.
    Operator,
    /// Has the second word where four eyes are asked for.
    Approver,
    /// Decides who is a member.
    Admin,
}

/// A project as one of its members, or a platform administrator, sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Project {
    pub id: ProjectId,
    pub organisation_id: OrganisationId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// Of the one who looks; platform administrators are administrators of every project.
    pub role: ProjectRole,
}

/// A project whoever looks: what somebody may do in it is asked for each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct ProjectFacts {
    pub id: ProjectId,
    pub organisation_id: OrganisationId,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl ProjectFacts {
    pub fn seen_by(self, role: ProjectRole) -> Project {
        let Self { id, organisation_id, name, created_at } = self;
        Project { id, organisation_id, name, created_at, role }
    }
}

/// Makes a project; its maker is its first administrator. Without an organisation it belongs to the maker's own.
pub async fn create(
    conn: &mut PgConnection,
    id: ProjectId,
    name: &str,
    maker: UserId,
    organisation: Option<OrganisationId>,
) -> Result<Project, StoreError> {
    Ok(sqlx::query_as(
        "WITH made AS (
             INSERT INTO projects (id, name, created_by, organisation_id) VALUES ($1, $2, $3, $4)
             RETURNING id, organisation_id, name, created_at
         ), joined AS (
             INSERT INTO project_members (project_id, user_id, role) SELECT id, $3, 'admin' FROM made
             RETURNING role
         )
         SELECT made.id, made.organisation_id, made.name, made.created_at, joined.role FROM made, joined",
    )
    .bind(id)
    .bind(name)
    .bind(maker)
    .bind(organisation)
    .fetch_one(conn)
    .await?)
}

impl Store {
    /// [`create`] as a change of its own.
    pub async fn create_project(
        &self,
        id: ProjectId,
        name: &str,
        maker: UserId,
    ) -> Result<Project, StoreError> {
        let mut connection = self.pool().acquire().await?;
        create(&mut connection, id, name, maker, None).await
    }

    /// Makes somebody a member, or changes a member's role.
    pub async fn set_project_member(
        &self,
        project_id: ProjectId,
        user_id: UserId,
        role: ProjectRole,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO project_members (project_id, user_id, role) VALUES ($1, $2, $3)
             ON CONFLICT (user_id, project_id) DO UPDATE SET role = excluded.role",
        )
        .bind(project_id)
        .bind(user_id)
        .bind(role)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The projects `user_id` may see, newest first, those older than `after`, at most `limit`.
    pub async fn projects(
        &self,
        user_id: UserId,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<Project>, StoreError> {
        // Two branches, of which one is empty: members read their own memberships only.
        Ok(sqlx::query_as(
            "SELECT p.id, p.organisation_id, p.name, p.created_at, m.role
             FROM project_members m JOIN projects p ON p.id = m.project_id
             WHERE m.user_id = $1 AND ($2::uuid IS NULL OR p.id < $2)
               AND NOT EXISTS (SELECT FROM users WHERE id = $1 AND is_platform_admin)
             UNION ALL
             SELECT p.id, p.organisation_id, p.name, p.created_at, 'admin'::project_role
             FROM projects p
             WHERE ($2::uuid IS NULL OR p.id < $2)
               AND EXISTS (SELECT FROM users WHERE id = $1 AND is_platform_admin)
             ORDER BY id DESC LIMIT $3",
        )
        .bind(user_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// To be kept for a while: each change of it is told ([`super::changes`]).
    pub async fn project_facts(&self, id: ProjectId) -> Result<Option<Seen<ProjectFacts>>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, organisation_id, name, created_at,
                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
             FROM projects WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?)
    }

    /// `None` when there is no such project or `user_id` may not see it: the two are not told apart.
    pub async fn project(&self, user_id: UserId, id: ProjectId) -> Result<Option<Project>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT p.id, p.organisation_id, p.name, p.created_at,
                    CASE WHEN u.is_platform_admin THEN 'admin'::project_role ELSE m.role END AS role
             FROM users u
             JOIN projects p ON p.id = $2
             LEFT JOIN project_members m ON m.user_id = u.id AND m.project_id = p.id
             WHERE u.id = $1 AND (u.is_platform_admin OR m.role IS NOT NULL)",
        )
        .bind(user_id)
        .bind(id)
        .fetch_optional(self.pool())
        .await?)
    }
}
