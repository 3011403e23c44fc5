//! Whether every object is still what it was, in every store.

use crate::engine::{Engine, Run};
use crate::error::{Error, Result, none_answered, not_read};
use crate::manifest::{MANIFEST_BYTES_MAX, Manifest};
use crate::stores::{Health, Pack, StoreName};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a verification of one backup found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub backup: Uuid,
    /// Looked at, in each store.
    pub objects: u64,
    pub bytes: u64,
    /// By store.
    pub stores: BTreeMap<String, StoreVerified>,
    /// Objects that are whole in no store: the backup is lost.
    pub lost: Vec<String>,
}

/// What one store has of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreVerified {
    pub whole: u64,
    pub missing: Vec<String>,
    pub damaged: Vec<String>,
    /// The store did not say; with its last word.
    pub unknown: Vec<String>,
    /// Of those missing or damaged, brought back from another store.
    pub healed: u64,
}

impl Verified {
    /// It can be restored.
    pub fn is_good(&self) -> bool {
        self.lost.is_empty()
    }

    /// Every store has all of it, now.
    pub fn is_whole_everywhere(&self) -> bool {
        self.is_good()
            && self
                .stores
                .values()
                .all(|s| s.unknown.is_empty() && s.healed == (s.missing.len() + s.damaged.len()) as u64)
    }
}

/// Reads every pack and the manifest of a backup from every store and compares it with its digest. `heal`: bring what
/// is missing or damaged back from a store that has it whole.
pub async fn verify(engine: &Engine, manifest: &Manifest, heal: bool, run: &Run) -> Result<Verified> {
    run.enter("verifying");
    let mut verified = Verified { backup: manifest.id, ..Verified::default() };
    for name in engine.stores.names() {
        verified.stores.insert(name.to_string(), StoreVerified::default());
    }
    let whole_manifest = whole_manifest(engine, manifest).await?;
    for pack in manifest.streams.iter().flat_map(|stream| &stream.packs).chain([&whole_manifest]) {
        if run.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        verified.objects += 1;
        verified.bytes += pack.size_bytes;
        one(engine, pack, heal, &mut verified).await;
        run.count(usize::try_from(pack.size_bytes).unwrap_or(usize::MAX));
    }
    Ok(verified)
}

/// The same for every archived WAL file: each is opened, and the copies in all stores are compared with the one that
/// opens. [`Verified::backup`] is nil.
pub async fn verify_wal(engine: &Engine, heal: bool, run: &Run) -> Result<Verified> {
    run.enter("verifying WAL");
    let listing = engine.stores.list(&engine.cluster.wal_prefix()).await;
    if listing.objects.is_empty() && !listing.unanswered.is_empty() {
        return Err(none_answered(&listing));
    }
    let mut verified = Verified::default();
    for object in listing.objects.into_keys() {
        if run.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        verified.objects += 1;
        match crate::wal::whole(engine, &object).await {
            Ok(pack) => {
                verified.bytes += pack.size_bytes;
                one(engine, &pack, heal, &mut verified).await;
            }
            Err(Error::Damaged { .. } | Error::Missing(_)) => verified.lost.push(object.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(verified)
}

/// The manifest as an object like the others: its digest is that of the copy that was opened.
async fn whole_manifest(engine: &Engine, manifest: &Manifest) -> Result<Pack> {
    let name = manifest.folder()?.manifest();
    let open = |bytes: Bytes| match Manifest::open(&bytes, &engine.keys, &[]) {
        Ok(_) | Err(Error::Key(_)) => Ok(Pack::of(name.clone(), &bytes)),
        Err(error) => Err(shared::chain(&error)),
    };
    let read = engine.stores.get_checked(&name, MANIFEST_BYTES_MAX as usize, open).await;
    read.map_err(|error| not_read(&error))
}

async fn one(engine: &Engine, pack: &Pack, heal: bool, verified: &mut Verified) {
    let inspected = engine.stores.inspect(pack).await;
    let mut is_whole = false;
    let mut wants_healing = false;
    for (store, health) in &inspected {
        let of = verified.stores.entry(store.to_string()).or_default();
        match health {
            Health::Whole => {
                of.whole += 1;
                is_whole = true;
            }
            Health::Missing => of.missing.push(pack.object.to_string()),
            Health::Damaged => of.damaged.push(pack.object.to_string()),
            Health::Unknown(error) => of.unknown.push(format!("{}: {error}", pack.object)),
        }
        wants_healing |= matches!(health, Health::Missing | Health::Damaged);
    }
    if wants_healing && heal {
        let healing = engine.stores.heal_inspected(pack, inspected).await;
        is_whole |= healing.is_whole;
        for store in healing.healed {
            count_healed(verified, &store);
        }
    }
    if !is_whole {
        verified.lost.push(pack.object.to_string());
    }
}

fn count_healed(verified: &mut Verified, store: &StoreName) {
    verified.stores.entry(store.to_string()).or_default().healed += 1;
}
