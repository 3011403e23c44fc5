//! Uploaded files: what the database knows of them. The bytes are in the object store.

use super::{Store, StoreError};
use crate::ids::{FileId, ProjectId, UserId};
use crate::objects::ObjectKey;
use chrono::{DateTime, Utc};

/// A file whose bytes are in the object store already: a row never points at nothing.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub id: FileId,
    pub project_id: ProjectId,
    /// As the uploader called it; 1 to 255 characters.
    pub name: String,
    /// At least 1.
    pub size_bytes: u64,
    pub sha256: [u8; 32],
    pub object_key: ObjectKey,
    pub uploaded_by: UserId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub id: FileId,
    pub project_id: ProjectId,
    pub name: String,
    pub size_bytes: u64,
    pub sha256: Vec<u8>,
    pub object_key: ObjectKey,
    pub uploaded_by: UserId,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct FileRow {
    id: FileId,
    project_id: ProjectId,
    name: String,
    size_bytes: i64,
    sha256: Vec<u8>,
    object_key: String,
    uploaded_by: UserId,
    created_at: DateTime<Utc>,
}

impl From<FileRow> for File {
    fn from(row: FileRow) -> Self {
        File {
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            // The constraint `files_size_positive` keeps it above zero.
            size_bytes: row.size_bytes.unsigned_abs(),
            sha256: row.sha256,
            object_key: ObjectKey::stored(row.object_key),
            uploaded_by: row.uploaded_by,
            created_at: row.created_at,
        }
    }
}

impl Store {
    /// Returns the file as stored.
    pub async fn insert_file(&self, new: &NewFile) -> Result<File, StoreError> {
        let row: FileRow = sqlx::query_as(
            "INSERT INTO files (id, project_id, name, size_bytes, sha256, object_key, uploaded_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING id, project_id, name, size_bytes, sha256, object_key, uploaded_by, created_at",
        )
        .bind(new.id)
        .bind(new.project_id)
        .bind(&new.name)
        .bind(i64::try_from(new.size_bytes).unwrap_or(i64::MAX))
        .bind(new.sha256.as_slice())
        .bind(new.object_key.as_str())
        .bind(new.uploaded_by)
        .fetch_one(self.pool())
        .await?;
        Ok(row.into())
    }

    pub async fn file(&self, id: FileId) -> Result<Option<File>, StoreError> {
        let row: Option<FileRow> = sqlx::query_as(
            "SELECT id, project_id, name, size_bytes, sha256, object_key, uploaded_by, created_at
             FROM files WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(Into::into))
    }

    /// Files of a project, newest first, those older than `after`, at most `limit`: one range of an index.
    pub async fn files(
        &self,
        project_id: ProjectId,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<File>, StoreError> {
        let rows: Vec<FileRow> = sqlx::query_as(
            "SELECT id, project_id, name, size_bytes, sha256, object_key, uploaded_by, created_at
             FROM files WHERE project_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        )
        .bind(project_id)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
