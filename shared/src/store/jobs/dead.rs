//! Dead jobs by what killed them.

use crate::ids::{JobId, ProjectId};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

/// Dead jobs of one kind whose failures differ in numbers, ids, machines and quoted texts only (the SQL function
/// `error_fingerprint` says how exactly).
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DeadGroup {
    /// 16 hexadecimal digits.
    pub fingerprint: String,
    pub kind: String,
    pub jobs: i64,
    /// The newest of them, by acceptance.
    pub newest: JobId,
    /// What killed that one.
    pub error: String,
    /// When the first of them was accepted.
    pub oldest_created_at: DateTime<Utc>,
    pub newest_created_at: DateTime<Utc>,
}

impl Store {
    /// The groups of dead jobs of a project, or of all, the largest first, at most `limit`. Counts an index of dead
    /// jobs only.
    pub async fn dead_groups(
        &self,
        project_id: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<DeadGroup>, StoreError> {
        let of_project = if project_id.is_some() { "project_id = $1 AND" } else { "" };
        let statement = format!(
            "WITH groups AS (
                 SELECT error_fingerprint AS fingerprint, count(*) AS jobs
                 FROM jobs WHERE {of_project} state = 'dead'
                 GROUP BY error_fingerprint ORDER BY jobs DESC, fingerprint LIMIT $2
             )
             SELECT fingerprint, newest.kind, jobs, newest.id AS newest, coalesce(newest.error, '') AS error,
                    oldest.created_at AS oldest_created_at, newest.created_at AS newest_created_at
             FROM groups
             CROSS JOIN LATERAL (
                 SELECT id, kind, error, created_at FROM jobs
                 WHERE {of_project} state = 'dead' AND error_fingerprint = fingerprint ORDER BY id DESC LIMIT 1
             ) AS newest
             CROSS JOIN LATERAL (
                 SELECT created_at FROM jobs
                 WHERE {of_project} state = 'dead' AND error_fingerprint = fingerprint ORDER BY id LIMIT 1
             ) AS oldest
             ORDER BY jobs DESC, fingerprint"
        );
        Ok(sqlx::query_as(AssertSqlSafe(statement))
            .bind(project_id)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }
}
