//! What somebody may do with a thing: one statement that finds whose it is, who asks, and in which role.

use super::projects::ProjectRole;
use super::{Store, StoreError};
use crate::ids::{
    AlertId, ApiKeyId, BatchId, DataSourceId, FileId, JobId, ProjectId, ScheduleId, SessionId, UserId,
    WebhookId,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The thing that is asked for, by which its project is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Nothing of a project.
    Nothing,
    Project(ProjectId),
    Job(JobId),
    /// A job, or the one that follows a batch and has its id already.
    JobToCome(JobId),
    Reconciliation(JobId),
    Batch(BatchId),
    Schedule(ScheduleId),
    File(FileId),
    DataSource(DataSourceId),
    Webhook(WebhookId),
    Alert(AlertId),
}

impl Owner {
    /// A subquery that finds the project by `$1`, and the value of `$1`.
    fn subquery(self) -> (&'static str, Uuid) {
        match self {
            Self::Nothing => ("SELECT NULL::uuid AS project_id WHERE $1 IS NULL", Uuid::nil()),
            Self::Project(id) => ("SELECT id AS project_id FROM projects WHERE id = $1", id.0),
            Self::Job(id) => ("SELECT project_id FROM jobs WHERE id = $1", id.0),
            Self::JobToCome(id) => (
                "SELECT project_id FROM jobs WHERE id = $1
                 UNION ALL
                 SELECT project_id FROM batches
                 WHERE (completion ->> 'id')::uuid = $1 AND completion IS NOT NULL AND finished_at IS NULL
                   AND NOT EXISTS (SELECT FROM jobs WHERE id = $1)
                 LIMIT 1",
                id.0,
            ),
            Self::Reconciliation(id) => ("SELECT project_id FROM reconciliations WHERE job_id = $1", id.0),
            Self::Batch(id) => ("SELECT project_id FROM batches WHERE id = $1", id.0),
            Self::Schedule(id) => ("SELECT project_id FROM schedules WHERE id = $1", id.0),
            Self::File(id) => ("SELECT project_id FROM files WHERE id = $1", id.0),
            Self::DataSource(id) => ("SELECT project_id FROM data_sources WHERE id = $1", id.0),
            Self::Webhook(id) => ("SELECT project_id FROM webhooks WHERE id = $1", id.0),
            Self::Alert(id) => ("SELECT project_id FROM alerts WHERE id = $1", id.0),
        }
    }
}

/// How somebody stands to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    pub is_platform_admin: bool,
    /// Where the thing belongs; null for things of the system itself, and when there is no such thing.
    pub project_id: Option<ProjectId>,
    /// In that project. Platform administrators are administrators of everything that exists, also of what belongs
    /// to the system. `None`: a stranger, or there is no such thing.
    pub role: Option<ProjectRole>,
}

/// A machine, known by its key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct KeyStanding {
    pub key_id: ApiKeyId,
    /// For whom it acts.
    pub user_id: UserId,
    /// The one project it may enter.
    pub key_project_id: ProjectId,
    pub expires_at: DateTime<Utc>,
    /// Of the thing that is asked for.
    pub project_id: Option<ProjectId>,
    /// The lesser of the key's and of the role that the person behind it has today. `None` as in [`Standing`], and
    /// wherever the key does not belong.
    pub role: Option<ProjectRole>,
}

impl Store {
    /// `None` when the account is gone or shut, or the session has ended.
    pub async fn standing(
        &self,
        user_id: UserId,
        session_id: SessionId,
        owner: Owner,
    ) -> Result<Option<Standing>, StoreError> {
        let (owned, id) = owner.subquery();
        let statement = format!(
            "SELECT u.is_platform_admin, o.project_id,
                    CASE WHEN u.is_platform_admin AND o.is_there THEN 'admin'::project_role ELSE m.role END AS role
             FROM users u
             JOIN sessions s ON s.id = $3 AND s.user_id = u.id AND s.ended_at IS NULL
             LEFT JOIN (SELECT project_id, true AS is_there FROM ({owned}) AS owned) o ON true
             LEFT JOIN project_members m ON m.user_id = u.id AND m.project_id = o.project_id
             WHERE u.id = $2 AND u.disabled_at IS NULL"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .bind(user_id)
            .bind(session_id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// As [`Self::standing`], for the machine that has the key of this digest. `None`: no such key, or it has ended, or
    /// its person's account is shut.
    /// Notes that the key is used, at most once a minute.
    pub async fn standing_of_key(
        &self,
        digest: &[u8; 32],
        now: DateTime<Utc>,
        owner: Owner,
    ) -> Result<Option<KeyStanding>, StoreError> {
        let (owned, id) = owner.subquery();
        let statement = format!(
            "WITH used AS (
                 UPDATE api_keys SET last_used_at = $3
                 WHERE digest = $2 AND revoked_at IS NULL AND expires_at > $3
                   AND (last_used_at IS NULL OR last_used_at < $3 - interval '1 minute')
             )
             SELECT k.id AS key_id, k.user_id, k.project_id AS key_project_id, k.expires_at, o.project_id,
                    CASE WHEN o.project_id <> k.project_id THEN NULL
                         WHEN u.is_platform_admin AND o.project_id IS NOT NULL THEN k.role
                         WHEN m.role IS NOT NULL AND o.project_id IS NOT NULL THEN least(k.role, m.role)
                    END AS role
             FROM api_keys k
             JOIN users u ON u.id = k.user_id AND u.disabled_at IS NULL
             LEFT JOIN ({owned}) o ON true
             LEFT JOIN project_members m ON m.user_id = k.user_id AND m.project_id = k.project_id
             WHERE k.digest = $2 AND k.revoked_at IS NULL AND k.expires_at > $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .bind(digest.as_slice())
            .bind(now)
            .fetch_optional(self.pool())
            .await?)
    }
}
