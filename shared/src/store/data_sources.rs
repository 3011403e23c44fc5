//! Data sources: a file together with the mapping of its columns to record fields.

use super::{Store, StoreError};
use crate::ids::{DataSourceId, FileId, ProjectId, UserId};
use crate::objects::ObjectKey;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

#[derive(Debug, Clone)]
pub struct NewDataSource {
    pub id: DataSourceId,
    pub project_id: ProjectId,
    /// A file of the same project.
    pub file_id: FileId,
    pub name: String,
    /// A `sources::Mapping`.
    pub mapping: serde_json::Value,
    pub created_by: UserId,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct DataSource {
    pub id: DataSourceId,
    pub project_id: ProjectId,
    pub file_id: FileId,
    pub name: String,
    /// A `sources::Mapping`.
    pub mapping: serde_json::Value,
    pub created_by: UserId,
    pub created_at: DateTime<Utc>,
}

/// What a worker needs to read the records of a data source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceToRead {
    pub name: String,
    /// A `sources::Mapping`.
    pub mapping: serde_json::Value,
    pub file_name: String,
    pub size_bytes: u64,
    pub object_key: ObjectKey,
}

/// Returns the data source as stored.
pub async fn insert(conn: &mut PgConnection, new: &NewDataSource) -> Result<DataSource, StoreError> {
    Ok(sqlx::query_as(
        "INSERT INTO data_sources (id, project_id, file_id, name, mapping, created_by)
         VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id, project_id, file_id, name, mapping, created_by, created_at",
    )
    .bind(new.id)
    .bind(new.project_id)
    .bind(new.file_id)
    .bind(&new.name)
    .bind(&new.mapping)
    .bind(new.created_by)
    .fetch_one(conn)
    .await?)
}

impl Store {
    /// [`insert`] as a change of its own.
    pub async fn insert_data_source(&self, new: &NewDataSource) -> Result<DataSource, StoreError> {
        let mut connection = self.pool().acquire().await?;
        insert(&mut connection, new).await
    }

    pub async fn data_source(&self, id: DataSourceId) -> Result<Option<DataSource>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, project_id, file_id, name, mapping, created_by, created_at
             FROM data_sources WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?)
    }

    /// Those of `ids` that belong to the project, in no particular order.
    pub async fn data_sources_of(
        &self,
        project_id: ProjectId,
        ids: &[DataSourceId],
    ) -> Result<Vec<DataSource>, StoreError> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        Ok(sqlx::query_as(
            "SELECT id, project_id, file_id, name, mapping, created_by, created_at
             FROM data_sources WHERE id = ANY($1) AND project_id = $2",
        )
        .bind(ids)
        .bind(project_id)
        .fetch_all(self.pool())
        .await?)
    }

    /// Data sources of a project, newest first, those older than `after`, at most `limit`.
    pub async fn data_sources(
        &self,
        project_id: ProjectId,
        after: Option<DataSourceId>,
        limit: u32,
    ) -> Result<Vec<DataSource>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, project_id, file_id, name, mapping, created_by, created_at
             FROM data_sources WHERE project_id = $1 AND ($2::uuid IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3",
        )
        .bind(project_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    pub async fn source_to_read(&self, id: DataSourceId) -> Result<Option<SourceToRead>, StoreError> {
        let row: Option<(String, serde_json::Value, String, i64, String)> = sqlx::query_as(
            "SELECT s.name, s.mapping, f.name, f.size_bytes, f.object_key
             FROM data_sources s JOIN files f ON f.id = s.file_id WHERE s.id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(|(name, mapping, file_name, size_bytes, object_key)| SourceToRead {
            name,
            mapping,
            file_name,
            size_bytes: size_bytes.unsigned_abs(),
            object_key: ObjectKey::stored(object_key),
        }))
    }
}
