//! Uploaded files: what the database knows of them. The bytes are in the object store.

use super::audit::Note;
use super::{Store, StoreError};
use crate::ids::{FileId, ProjectId, UserId};
use crate::objects::ObjectKey;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

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

/// What came of deleting a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// Its row is gone, and its data sources with it; the bytes are to go next.
    Done(ObjectKey),
    /// A reconciliation was made from it.
    Needed,
    /// There is no such file.
    Unknown,
}

impl Store {
    /// [`insert_file_within`] in a transaction of its own.
    pub async fn insert_file_within(
        &self,
        new: &NewFile,
        files_max: u32,
    ) -> Result<Option<File>, StoreError> {
        let mut tx = self.begin().await?;
        let file = insert_file_within(&mut tx, new, files_max).await?;
        tx.commit().await?;
        Ok(file)
    }

    pub async fn count_files(&self, project_id: ProjectId) -> Result<i64, StoreError> {
        count(&mut *self.pool().acquire().await?, project_id).await
    }

    /// Deletes the row of a file that no reconciliation was made from, and its data sources.
    pub async fn delete_file(&self, id: FileId) -> Result<Deleted, StoreError> {
        let mut tx = self.begin().await?;
        let sources = sqlx::query("DELETE FROM data_sources WHERE file_id = $1").bind(id).execute(&mut *tx);
        let deleted = match sources.await.map_err(StoreError::from) {
            Ok(_) => sqlx::query_as::<_, (String, ProjectId, String)>(
                "DELETE FROM files WHERE id = $1 RETURNING object_key, project_id, name",
            )
            .bind(id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(StoreError::from),
            Err(error) => Err(error),
        };
        match deleted {
            Ok(Some((key, project_id, name))) => {
                Note::of(project_id, "file", id).before(json!({"name": name})).commit(tx).await?;
                Ok(Deleted::Done(ObjectKey::stored(key)))
            }
            Ok(None) => Ok(Deleted::Unknown),
            // Also one that was submitted, or a data source that was made, at this very moment.
            Err(error) if error.constraint().is_some_and(|name| name.ends_with("_fkey")) => {
                Ok(Deleted::Needed)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the file as stored.
    pub async fn insert_file(&self, new: &NewFile) -> Result<File, StoreError> {
        insert(&mut *self.pool().acquire().await?, new).await
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

/// Returns the file as stored. `None`: the project has `files_max` already.
pub async fn insert_file_within(
    conn: &mut PgConnection,
    new: &NewFile,
    files_max: u32,
) -> Result<Option<File>, StoreError> {
    // Uploads of one project take turns here, so that none comes in between count and insert.
    sqlx::query("SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE")
        .bind(new.project_id)
        .execute(&mut *conn)
        .await?;
    if count(&mut *conn, new.project_id).await? >= i64::from(files_max) {
        return Ok(None);
    }
    let file = insert(&mut *conn, new).await?;
    let shown = json!({"name": file.name, "size_bytes": file.size_bytes});
    Note::of(new.project_id, "file", new.id).after(shown).write(conn).await?;
    Ok(Some(file))
}

async fn insert(conn: &mut PgConnection, new: &NewFile) -> Result<File, StoreError> {
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
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

async fn count(conn: &mut PgConnection, project_id: ProjectId) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar("SELECT count(*) FROM files WHERE project_id = $1");
    Ok(count.bind(project_id).fetch_one(conn).await?)
}
