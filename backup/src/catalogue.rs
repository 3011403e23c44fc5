//! Which backups there are, by the stores alone: nothing else is needed to restore, and nothing else is believed.

use crate::engine::Engine;
use crate::error::{Error, Result, none_answered};
use crate::manifest::{Manifest, WalRange, read_manifest};
use crate::records;
use crate::retention::{Condition, Kept, Segment};
use crate::stores::{BackupClass, BackupFolder, StoreName};
use crate::wal::Lsn;
use futures_util::{StreamExt, stream};
use shared::store::backups::RetentionLine;
use uuid::Uuid;

/// A backup that a store has a manifest of.
#[derive(Debug)]
pub struct Catalogued {
    pub folder: BackupFolder,
    /// `Err`: why it cannot be read in any store.
    pub manifest: std::result::Result<Box<Manifest>, Error>,
    /// Stores that have the manifest, and so had everything when it was taken.
    pub held_by: Vec<StoreName>,
    pub manifest_bytes: u64,
}

/// What the stores that answered have.
#[derive(Debug)]
pub struct Catalogue {
    /// Newest first.
    pub backups: Vec<Catalogued>,
    /// Stores that did not answer, and why: what they alone have is not listed.
    pub unanswered: Vec<(StoreName, String)>,
}

/// Manifests that are read at once.
const READS: usize = 16;

/// Reads all manifests, of all classes or one. Fails when no store answers.
pub async fn read(engine: &Engine, class: Option<BackupClass>) -> Result<Catalogue> {
    let mut found = vec![];
    let mut unanswered = vec![];
    for class in BackupClass::ALL.into_iter().filter(|c| class.is_none_or(|wanted| wanted == *c)) {
        let listing = engine.stores.list(&engine.cluster.class_prefix(class)).await;
        if listing.unanswered.len() == engine.stores.names().count() {
            return Err(none_answered(&listing));
        }
        for (name, at) in listing.objects.into_iter().filter(|(name, _)| name.is_manifest()) {
            if let Some(folder) = BackupFolder::of(&name) {
                found.push((folder, at));
            }
        }
        for (store, error) in listing.unanswered {
            if !unanswered.iter().any(|(known, _)| *known == store) {
                unanswered.push((store, error.to_string()));
            }
        }
    }
    let mut backups: Vec<Catalogued> = stream::iter(found)
        .map(|(folder, at)| async move {
            let manifest = read_manifest(&engine.stores, &folder, &engine.keys).await;
            let manifest = manifest.map(|(manifest, _)| Box::new(manifest));
            Catalogued { folder, manifest, held_by: at.held_by, manifest_bytes: at.size_bytes }
        })
        .buffer_unordered(READS)
        .collect()
        .await;
    // Ids are made in the order of time.
    backups.sort_unstable_by_key(|backup| std::cmp::Reverse(backup.folder.id));
    Ok(Catalogue { backups, unanswered })
}

/// Where a backup is, by its id or the beginning of it.
pub async fn find(engine: &Engine, id: &str) -> Result<BackupFolder> {
    let mut found = vec![];
    for class in BackupClass::ALL {
        let listing = engine.stores.list(&engine.cluster.class_prefix(class)).await;
        if listing.unanswered.len() == engine.stores.names().count() {
            return Err(none_answered(&listing));
        }
        let folders = listing.objects.keys().filter(|name| name.is_manifest()).filter_map(BackupFolder::of);
        found.extend(folders.filter(|folder| id.len() >= 4 && folder.id.to_string().starts_with(id)));
    }
    match found.len() {
        0 => Err(Error::Refused(format!("no store that answers has a backup {id:?}"))),
        1 => Ok(found.remove(0)),
        n => Err(Error::Refused(format!("{n} backups begin with {id:?}: give more of the id"))),
    }
}

impl Catalogued {
    /// For planning what to keep. `is_damaged`: what the last verification said; `is_protected`: what a person said.
    pub fn for_retention(&self, is_damaged: bool, is_protected: bool) -> Kept {
        let taken_at = self.folder.id.get_timestamp().and_then(|t| {
            let (seconds, nanos) = t.to_unix();
            chrono::DateTime::from_timestamp(seconds.cast_signed(), nanos)
        });
        let manifest = self.manifest.as_ref().ok();
        Kept {
            id: self.folder.id,
            line: manifest.map_or_else(|| format!("{:?}", self.folder.class), |m| line(m)),
            taken_at: manifest.map(|m| m.taken_at()).or(taken_at).unwrap_or_default(),
            // One whose manifest cannot be opened with today's keys is not proven bad, but it is not good either.
            condition: if manifest.is_some() && !is_damaged { Condition::Good } else { Condition::Bad },
            protected: is_protected,
            needs: None,
            wal_from: manifest.and_then(|m| wal_from(m)),
        }
    }
}

/// Backups of one line replace one another.
pub fn line(manifest: &Manifest) -> String {
    line_of(manifest.class, &manifest.of.database, &manifest.tenants)
}

fn line_of(class: BackupClass, database: &str, tenants: &[Uuid]) -> String {
    let tenants: Vec<String> = tenants.iter().map(Uuid::to_string).collect();
    format!("{} {database} {}", class.as_str(), tenants.join(" ")).trim_end().to_owned()
}

/// For planning from the records alone, where nobody has a way to the stores.
pub fn recorded_for_retention(record: &RetentionLine) -> Kept {
    let class = BackupClass::ALL
        .into_iter()
        .find(|class| records::kind(*class) == record.class)
        .unwrap_or(BackupClass::Full);
    let tenants: Vec<Uuid> = record.project_id.iter().map(|id| id.0).collect();
    let wal: Option<WalRange> =
        record.wal.as_ref().and_then(|wal| serde_json::from_value(wal.0.clone()).ok());
    Kept {
        id: record.id.0,
        line: line_of(class, record.database.as_deref().unwrap_or_default(), &tenants),
        taken_at: record.taken_at,
        condition: if record.is_lost { Condition::Bad } else { Condition::Good },
        protected: record.is_protected,
        needs: None,
        wal_from: wal.as_ref().and_then(start_of),
    }
}

fn wal_from(manifest: &Manifest) -> Option<Segment> {
    start_of(manifest.wal.as_ref()?)
}

fn start_of(wal: &WalRange) -> Option<Segment> {
    let start: Lsn = wal.start_lsn.parse().ok()?;
    Some(Segment { timeline: wal.timeline, number: start.0 / wal.segment_bytes.max(1) })
}
