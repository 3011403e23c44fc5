//! What an operator has set: schedules, limits, pauses, and who may do what; never a password or a key.
//!
//! Small, readable, and of use where the database is whole but its settings are not: one JSON document.

use super::{Created, Writer, stream};
use crate::engine::{Engine, Protected, Run};
use crate::error::{Doing, Result};
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{Snapshot, Surroundings, close};
use crate::stores::{BackupClass, BackupFolder};
use sqlx::{AssertSqlSafe, PgConnection};
use std::io::Read;

/// The only part: one JSON object, a member per table, each an array of rows.
pub const STREAM: &str = "configuration";
/// Larger ones are taken for damage.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

/// What is taken, by table: the columns named here and no others, so that a secret that is added later stays out.
pub const CONFIGURATION: &[(&str, &str)] = &[
    ("concurrency_limits", "scope, name, jobs_max, updated_at, updated_by"),
    ("organisations", "id, name, founded_by, created_at"),
    ("project_members", "project_id, user_id, role, created_at"),
    ("projects", "id, organisation_id, name, created_by, created_at"),
    ("queue_pauses", "queue, reason, paused_by, paused_at"),
    (
        "schedules",
        "id, project_id, name, kind, args, priority, cron, time_zone, missed_runs, paused_at, shipped_key, created_by,
         created_at, updated_at, version",
    ),
    ("shipped_schedules", "key, offered_at"),
    ("users", "id, email, name, is_platform_admin, created_at"),
];

/// Takes a backup of the configuration in the database.
pub async fn create(protected: &Protected, note: Option<String>, run: &Run) -> Result<Created> {
    run.enter("reading the configuration");
    let snapshot = Snapshot::export(&protected.target).await?;
    let mut session = snapshot.session().await?;
    let of = Surroundings::read(&mut session).await?;
    let document = read(&mut session).await?;
    close(session).await;
    let taken = snapshot.note.clone();
    snapshot.release().await;

    let mut writer = Writer::begin(&protected.engine, BackupClass::Configuration)?;
    if let Err(error) = writer.stream(STREAM, run, move |out| out.write_all(document.as_bytes())).await {
        writer.abandon().await;
        return Err(error);
    }
    let mut manifest = writer.manifest(of);
    manifest.note = note;
    manifest.snapshot = Some(taken);
    writer.commit(manifest, run).await
}

/// Gives the document back.
pub async fn open(engine: &Engine, backup: &BackupFolder, run: &Run) -> Result<(Manifest, String)> {
    let (manifest, key) = read_manifest(&engine.stores, backup, &engine.keys).await?;
    let note = manifest.stream(STREAM)?;
    let text = stream::open_stream(&engine.stores, manifest.id, note, &key, run, None, |plain| {
        let mut text = String::new();
        plain.take(DOCUMENT_BYTES_MAX).read_to_string(&mut text).map(|_| text)
    })
    .await?;
    Ok((manifest, text))
}

async fn read(session: &mut PgConnection) -> Result<String> {
    let mut members = serde_json::Map::new();
    for (table, columns) in CONFIGURATION {
        let statement = format!(
            "SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY to_jsonb(r)::text), '[]')
             FROM (SELECT {columns} FROM {table}) AS r"
        );
        let rows: serde_json::Value = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut *session)
            .await
            .doing(format!("reading {table}"))?;
        members.insert((*table).into(), rows);
    }
    Ok(format!("{:#}\n", serde_json::Value::Object(members)))
}
