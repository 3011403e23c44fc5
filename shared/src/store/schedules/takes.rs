//! Which files a run of a scheduled reconciliation takes: those of its data sources, or the newest uploads whose names
//! fit, read as the data source reads its own.
//!
//! A run that time starts wants something new on each side that takes the newest: one that came early would find the
//! other side's file of yesterday, and leave everything open. A run that somebody asks for takes what there is.

use super::Schedule;
use super::start::StartError;
use crate::ids::{DataSourceId, FileId, ProjectId, UserId};
use crate::store::StoreError;
use crate::store::text::like;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// The files of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Took {
    pub left: TookFile,
    pub right: TookFile,
}

/// A file, and the data source by which it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TookFile {
    pub source_id: DataSourceId,
    pub file_id: FileId,
    pub file_name: String,
}

/// One side as the args say it.
pub(super) struct Wanted<'a> {
    /// For sentences.
    pub side: &'static str,
    pub source_id: DataSourceId,
    /// The newest upload whose name fits, instead of the source's own file.
    pub file_name: Option<&'a str>,
}

#[derive(sqlx::FromRow)]
struct Source {
    file_id: FileId,
    file_name: String,
    mapping: serde_json::Value,
}

#[derive(sqlx::FromRow)]
struct Upload {
    id: FileId,
    name: String,
    uploaded_by: UserId,
}

/// What was found for one side.
struct Found {
    source_id: DataSourceId,
    source: Source,
    /// Instead of the source's own file.
    newest: Option<Upload>,
}

/// The files of the next run. With `must_be_new`, [`StartError::NothingNew`] unless every side that takes the newest has
/// a newer one than the last run took.
pub(super) async fn take(
    conn: &mut PgConnection,
    schedule: &Schedule,
    project_id: ProjectId,
    sides: [Wanted<'_>; 2],
    must_be_new: bool,
) -> Result<Took, StartError> {
    let last = schedule.last_took.as_ref().map(|took| [took.left.file_id, took.right.file_id]);
    let mut found = vec![];
    let mut missing = vec![];
    for (at, wanted) in sides.iter().enumerate() {
        let source = source(conn, project_id, wanted).await?;
        let newest = match wanted.file_name {
            None => None,
            Some(pattern) => {
                let newest = newest(conn, project_id, pattern).await?;
                let last = last.map(|files| files[at]).filter(|_| must_be_new);
                missing.extend(why_not(wanted.side, pattern, newest.as_ref(), last));
                newest
            }
        };
        found.push(Found { source_id: wanted.source_id, source, newest });
    }
    if !missing.is_empty() {
        return Err(StartError::NothingNew(missing.join("; ")));
    }
    let [left, right]: [Found; 2] =
        found.try_into().unwrap_or_else(|_| unreachable!("two sides were asked for"));
    if left.file_id() == right.file_id() && left.newest.is_some() && right.newest.is_some() {
        return Err(StartError::Refused(format!("both sides would take {}", left.file_name())));
    }
    let left = settle(conn, schedule, project_id, left).await?;
    let right = settle(conn, schedule, project_id, right).await?;
    Ok(Took { left, right })
}

impl Found {
    fn file_id(&self) -> FileId {
        self.newest.as_ref().map_or(self.source.file_id, |upload| upload.id)
    }

    fn file_name(&self) -> &str {
        self.newest.as_ref().map_or(&self.source.file_name, |upload| &upload.name)
    }
}

/// Why a side has nothing to take. Ids of files grow with the time of their upload.
fn why_not(side: &str, pattern: &str, newest: Option<&Upload>, last: Option<FileId>) -> Option<String> {
    match (newest, last) {
        (None, _) => Some(format!("no file fits {pattern} on the {side}")),
        (Some(newest), Some(last)) if newest.id.0 <= last.0 => Some(format!(
            "no new file fits {pattern} on the {side} since the last run; the newest is {}",
            newest.name
        )),
        _ => None,
    }
}

fn unavailable(error: sqlx::Error) -> StartError {
    StartError::at("its files could not be looked up")(StoreError::from(error))
}

async fn source(
    conn: &mut PgConnection,
    project_id: ProjectId,
    wanted: &Wanted<'_>,
) -> Result<Source, StartError> {
    let found: Option<Source> = sqlx::query_as(
        "SELECT s.file_id, f.name AS file_name, s.mapping FROM data_sources s JOIN files f ON f.id = s.file_id
         WHERE s.id = $1 AND s.project_id = $2",
    )
    .bind(wanted.source_id)
    .bind(project_id)
    .fetch_optional(conn)
    .await
    .map_err(unavailable)?;
    found.ok_or_else(|| StartError::Refused("a data source that it names is gone".into()))
}

/// Reads the uploads of a project from the newest on, until one fits.
async fn newest(
    conn: &mut PgConnection,
    project_id: ProjectId,
    pattern: &str,
) -> Result<Option<Upload>, StartError> {
    sqlx::query_as(
        "SELECT id, name, uploaded_by FROM files WHERE project_id = $1 AND name ILIKE $2 ORDER BY id DESC LIMIT 1",
    )
    .bind(project_id)
    .bind(like(pattern))
    .fetch_optional(conn)
    .await
    .map_err(unavailable)
}

/// The data source that reads the file: one that is there already, if any reads it so.
async fn settle(
    conn: &mut PgConnection,
    schedule: &Schedule,
    project_id: ProjectId,
    found: Found,
) -> Result<TookFile, StartError> {
    let (file_id, file_name) = (found.file_id(), found.file_name().to_owned());
    let Some(newest) = found.newest.filter(|newest| newest.id != found.source.file_id) else {
        return Ok(TookFile { source_id: found.source_id, file_id, file_name });
    };
    let known: Option<DataSourceId> = sqlx::query_scalar(
        "SELECT id FROM data_sources WHERE file_id = $1 AND project_id = $2 AND mapping = $3 ORDER BY id LIMIT 1",
    )
    .bind(file_id)
    .bind(project_id)
    .bind(&found.source.mapping)
    .fetch_optional(&mut *conn)
    .await
    .map_err(unavailable)?;
    if let Some(source_id) = known {
        return Ok(TookFile { source_id, file_id, file_name });
    }
    let source_id = DataSourceId::new();
    sqlx::query(
        "INSERT INTO data_sources (id, project_id, file_id, name, mapping, created_by)
         VALUES ($1, $2, $3, left($4, 200), $5, $6)",
    )
    .bind(source_id)
    .bind(project_id)
    .bind(file_id)
    .bind(&file_name)
    .bind(&found.source.mapping)
    .bind(schedule.created_by.unwrap_or(newest.uploaded_by))
    .execute(conn)
    .await
    .map_err(unavailable)?;
    Ok(TookFile { source_id, file_id, file_name })
}
