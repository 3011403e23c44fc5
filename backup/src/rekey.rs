//! Rotation of the operator's key: data keys are wrapped anew, and what they encrypt stays as it is.
//!
//! Whatever is in the stores has its data key in its own head, wrapped by the key of then, and is never written again. So
//! the key of now wraps it once more, beside it. Afterwards the older key is needed by nothing: it may leave the ring. What it
//! has wrapped stays in the heads: a key that somebody has *stolen* opens what they copied until that is deleted.

use crate::catalogue;
use crate::engine::{Engine, Run};
use crate::error::{Error, Result, none_answered, not_read};
use crate::manifest::{self, wrapped_keys};
use crate::seal::{KeyId, WrappedKey};
use crate::stores::{BackupFolder, ObjectName, Put, PutError};
use crate::wal::{self, KeyOf, KeyTable};
use bytes::Bytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What was wrapped, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rekeyed {
    /// The first of the ring.
    pub key: KeyId,
    pub backups: Wrapped,
    pub wal: Wrapped,
    /// Neither the ring nor what is beside it opens these; each with why.
    pub unreadable: Vec<String>,
    /// Objects with wrapped keys that are not in every store yet.
    pub short: u64,
    /// Older wrapped keys that are gone.
    pub removed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// Now.
    pub anew: u64,
    /// By the same key already.
    pub already: u64,
}

impl Rekeyed {
    /// No store needs an older key for anything that was found.
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty() && self.short == 0
    }
}

/// Wraps the data keys of all backups and archived files with the newest key of the ring, in every store; again is no
/// harm, brings what a store lacks, and does what was left. Refuses when a store does not answer: what it alone has would
/// keep the older key. Cost: a small read for each backup and archived file that is not wrapped yet, a small object for each
/// backup and each log of WAL. `dry_run`: counts.
pub async fn rekey(engine: &Engine, dry_run: bool, run: &Run) -> Result<Rekeyed> {
    let mut rekeyed = Rekeyed {
        key: engine.keys.newest().clone(),
        backups: Wrapped::default(),
        wal: Wrapped::default(),
        unreadable: vec![],
        short: 0,
        removed: 0,
    };
    run.enter("wrapping keys of backups");
    let found = catalogue::read(engine, None).await?;
    if let Some((store, why)) = found.unanswered.first() {
        return Err(Error::Refused(format!("store {store} does not answer: nothing was wrapped ({why})")));
    }
    for backup in &found.backups {
        stop_here(run)?;
        if let Err(error) =
            rekey_backup(engine, &backup.folder, backup.manifest_bytes, dry_run, &mut rekeyed).await
        {
            rekeyed.unreadable.push(format!("backup {}: {}", backup.folder.id, shared::chain(&error)));
        }
    }
    run.enter("wrapping keys of WAL");
    let listing = engine.stores.list(&engine.cluster.wal_prefix()).await;
    if !listing.unanswered.is_empty() {
        return Err(none_answered(&listing));
    }
    let mut groups: BTreeMap<String, Vec<(ObjectName, u64)>> = BTreeMap::new();
    for (object, found) in &listing.objects {
        let file = object.as_str().rsplit('/').next().unwrap_or_default();
        groups.entry(wal::group(file).to_owned()).or_default().push((object.clone(), found.size_bytes));
    }
    for (group, files) in groups {
        stop_here(run)?;
        rekey_group(engine, &group, &files, dry_run, &mut rekeyed, run).await?;
    }
    Ok(rekeyed)
}

fn stop_here(run: &Run) -> Result<()> {
    if run.stop.is_cancelled() { Err(Error::Stopped) } else { Ok(()) }
}

async fn rekey_backup(
    engine: &Engine,
    folder: &BackupFolder,
    manifest_bytes: u64,
    dry_run: bool,
    rekeyed: &mut Rekeyed,
) -> Result<()> {
    let newest = engine.keys.newest().clone();
    let (id, of_head) = manifest::head(engine, folder, manifest_bytes).await?;
    let beside = wrapped_keys(&engine.stores, folder).await;
    let opens = |key: &WrappedKey| engine.keys.unwrap(id, key).is_ok();
    if of_head.key_id == newest {
        rekeyed.backups.already += 1;
        return if dry_run { Ok(()) } else { remove_older(engine, folder, &beside, rekeyed).await };
    }
    let name = engine.cluster.wrapped_key(folder.id, &newest.to_string());
    let name = name.map_err(|error| Error::Refused(error.to_string()))?;
    let bytes = match beside.iter().find(|key| key.key_id == newest && opens(key)) {
        Some(_) => {
            rekeyed.backups.already += 1;
            let read = |bytes: Bytes| serde_json::from_slice::<WrappedKey>(&bytes).map(|_| bytes);
            engine.stores.get_checked(&name, 4096, read).await.map_err(|error| not_read(&error))?
        }
        None => {
            // Opens it with whatever is at hand; fails, naming the key, when nothing does.
            let (_, key) = manifest::read_manifest(&engine.stores, folder, &engine.keys).await?;
            let wrapped = engine.keys.wrap(id, &key)?;
            rekeyed.backups.anew += 1;
            serde_json::to_vec(&wrapped).unwrap_or_default().into()
        }
    };
    if dry_run {
        return Ok(());
    }
    if put(engine, &name, bytes, rekeyed).await? {
        remove_older(engine, folder, &beside, rekeyed).await?;
    }
    Ok(())
}

/// What other keys than the newest have wrapped beside a backup.
async fn remove_older(
    engine: &Engine,
    folder: &BackupFolder,
    beside: &[WrappedKey],
    rekeyed: &mut Rekeyed,
) -> Result<()> {
    for older in beside.iter().filter(|key| key.key_id != *engine.keys.newest()) {
        let name = engine.cluster.wrapped_key(folder.id, &older.key_id.to_string());
        let name = name.map_err(|error| Error::Refused(error.to_string()))?;
        rekeyed.removed += u64::from(engine.stores.delete(&name).await.complete);
    }
    Ok(())
}

async fn rekey_group(
    engine: &Engine,
    group: &str,
    files: &[(ObjectName, u64)],
    dry_run: bool,
    rekeyed: &mut Rekeyed,
    run: &Run,
) -> Result<()> {
    let newest = engine.keys.newest().clone();
    let tables = wal::tables(engine, group).await;
    let known = |id: Uuid| tables.iter().flat_map(|table| &table.keys).filter(move |of| of.id == id);
    let mut anew = vec![];
    let mut unreadable = 0;
    for (object, size_bytes) in files {
        stop_here(run)?;
        let (id, of_head) = match wal::head(engine, object, *size_bytes).await {
            Ok(head) => head,
            Err(error) => {
                unreadable += 1;
                rekeyed.unreadable.push(format!("{object}: {}", shared::chain(&error)));
                continue;
            }
        };
        let is_wrapped = |of: &KeyOf| of.key.key_id == newest && engine.keys.unwrap(id, &of.key).is_ok();
        if of_head.key_id == newest || known(id).any(is_wrapped) {
            rekeyed.wal.already += 1;
            continue;
        }
        let opened = engine.keys.unwrap(id, &of_head);
        let opened = opened
            .or_else(|error| known(id).find_map(|of| engine.keys.unwrap(id, &of.key).ok()).ok_or(error));
        match opened {
            Ok(key) => {
                rekeyed.wal.anew += 1;
                anew.push(KeyOf { id, key: engine.keys.wrap(id, &key)? });
            }
            Err(error) => {
                unreadable += 1;
                rekeyed.unreadable.push(format!("{object}: {error}"));
            }
        }
    }
    if dry_run {
        return Ok(());
    }
    let (current, older): (Vec<KeyTable>, Vec<KeyTable>) =
        tables.into_iter().partition(|table| table.is_of(&newest));
    let mut is_everywhere = true;
    for table in &current {
        is_everywhere &= put(engine, &table.name, table.bytes.clone(), rekeyed).await?;
    }
    if !anew.is_empty() {
        let table = KeyTable::make(engine, group, &newest, anew);
        let table = table.map_err(|error| Error::Refused(error.to_string()))?;
        is_everywhere &= put(engine, &table.name, table.bytes, rekeyed).await?;
    }
    if is_everywhere && unreadable == 0 {
        for table in older {
            rekeyed.removed += u64::from(engine.stores.delete(&table.name).await.complete);
        }
    }
    Ok(())
}

/// Whether every store has it now.
async fn put(engine: &Engine, name: &ObjectName, bytes: Bytes, rekeyed: &mut Rekeyed) -> Result<bool> {
    match engine.stores.put(name, bytes).await {
        Ok(Put { owed_to, .. }) => {
            rekeyed.short += u64::from(!owed_to.is_empty());
            Ok(owed_to.is_empty())
        }
        Err(PutError::Differs { store }) => Err(Error::Damaged {
            what: format!("{name} in {store}"),
            how: "another store has another one; delete that of this store, and run this again".into(),
        }),
        Err(error) => Err(crate::error::stores_failed(error)),
    }
}
