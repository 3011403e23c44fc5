//! What the stores have.

use super::{BackupPlace, Kind, say_if_unrecorded};
use crate::administration::print_table;
use anyhow::Result;
use backup::catalogue::{self, Catalogued};
use backup::records;
use chrono::SecondsFormat;
use shared::config::Config;

pub(super) async fn list(config: &Config, kind: Option<Kind>, place: &BackupPlace) -> Result<()> {
    let engine = place.engine(config)?;
    let found = catalogue::read(&engine, kind.map(Kind::class)).await?;
    let rows: Vec<Vec<String>> = found.backups.iter().map(row).collect();
    print_table(&["ID", "KIND", "TAKEN", "ROWS", "BYTES", "STORES", "NOTE"], &rows);
    for (store, why) in &found.unanswered {
        eprintln!("counterfoil: store {store} does not answer, what it alone has is not listed: {why}");
    }
    // The database may be gone: that is what backups are for.
    if let Ok(store) = place.store(config)
        && kind.is_none()
        && store.is_migrated().await.unwrap_or(false)
    {
        say_if_unrecorded(records::synchronise(&store, &found, config.backup.copies_min).await);
    }
    Ok(())
}

fn row(backup: &Catalogued) -> Vec<String> {
    let stores = backup.held_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut row = vec![backup.folder.id.to_string(), backup.folder.class.as_str().to_owned()];
    match &backup.manifest {
        Ok(manifest) => row.extend([
            manifest.taken_at().to_rfc3339_opts(SecondsFormat::Secs, true),
            manifest.rows().to_string(),
            manifest.sealed_bytes().to_string(),
            stores,
            manifest.note.clone().unwrap_or_default(),
        ]),
        Err(error) => row.extend(["-".into(), "-".into(), "-".into(), stores, shared::chain(error)]),
    }
    row
}
