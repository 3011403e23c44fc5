//! What the stores have.

use super::{BackupPlace, Kind, say_if_unrecorded};
use crate::administration::print_table;
use anyhow::Result;
use backup::catalogue::{self, Catalogued};
use backup::records;
use chrono::SecondsFormat;
use shared::config::Config;
use shared::store::backups::VerifiedBackup;
use std::time::Duration;
use uuid::Uuid;

/// For what the records add to the list.
const DATABASE_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn list(config: &Config, kind: Option<Kind>, place: &BackupPlace) -> Result<()> {
    let engine = place.engine(config)?;
    let found = catalogue::read(&engine, kind.map(Kind::class)).await?;
    // The database may be gone: that is what backups are for.
    let store = place.store(config).ok();
    let verified = tokio::time::timeout(DATABASE_WAIT, async {
        match &store {
            Some(store) => store.backups_verified().await.ok(),
            None => None,
        }
    });
    let verified = verified.await.ok().flatten();
    let rows: Vec<Vec<String>> =
        found.backups.iter().map(|backup| row(backup, verified.as_deref())).collect();
    print_table(&["ID", "KIND", "TAKEN", "ROWS", "BYTES", "STORES", "VERIFIED", "NOTE"], &rows);
    for (store, why) in &found.unanswered {
        eprintln!("counterfoil: store {store} does not answer, what it alone has is not listed: {why}");
    }
    if let Some(store) = store
        && kind.is_none()
        && store.is_migrated().await.unwrap_or(false)
    {
        say_if_unrecorded(records::synchronise(&store, &found, config.backup.copies_min).await);
    }
    Ok(())
}

fn row(backup: &Catalogued, verified: Option<&[VerifiedBackup]>) -> Vec<String> {
    let verified = said_of(backup.folder.id, verified);
    let stores = backup.held_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut row = vec![backup.folder.id.to_string(), backup.folder.class.as_str().to_owned()];
    match &backup.manifest {
        Ok(manifest) => row.extend([
            manifest.taken_at().to_rfc3339_opts(SecondsFormat::Secs, true),
            manifest.rows().to_string(),
            manifest.sealed_bytes().to_string(),
            stores,
            verified,
            manifest.note.clone().unwrap_or_default(),
        ]),
        Err(error) => {
            row.extend(["-".into(), "-".into(), "-".into(), stores, verified, shared::chain(error)]);
        }
    }
    row
}

/// Of one that no record knows nobody has verified anything, either; `-`: the records do not answer.
fn said_of(id: Uuid, verified: Option<&[VerifiedBackup]>) -> String {
    let Some(verified) = verified else { return "-".into() };
    match verified.iter().find(|of| of.id.0 == id).and_then(|of| Some((of.verified_at?, of.is_good))) {
        None => "never".into(),
        Some((at, is_good)) => {
            let lost = if is_good == Some(false) { " LOST" } else { "" };
            format!("{}{lost}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
    }
}
