//! What a backup says of itself: enough to restore it with a key and a store alone, and to prove that the result is
//! what was there.
//!
//! Written last, after all packs are in the stores: a backup without a manifest is none. In a store it is JSON in an
//! [`envelope`].

use crate::engine::Engine;
use crate::envelope::{self, Envelope};
use crate::error::{Error, Result, not_read};
use crate::postgres::{Column, Figures, SnapshotNote, Surroundings};
use crate::seal::{DataKey, KeyError, KeyRing, WrappedKey};
use crate::stores::{BackupClass, BackupFolder, Cluster, Pack, Stores};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Larger ones are taken for damage. Ten thousand tables and a hundred thousand packs stay far below.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this form; readers refuse what they do not know.
    pub v: u32,
    pub id: Uuid,
    pub class: BackupClass,
    pub cluster: String,
    /// Why it was taken, in words: "before restoring …", a person's note.
    pub note: Option<String>,
    /// Of tenant backups; otherwise empty.
    pub tenants: Vec<Uuid>,
    /// Backups of one snapshot share it.
    pub group: Option<Uuid>,
    /// Of the program that took it.
    pub program_version: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub of: Surroundings,
    pub snapshot: Option<SnapshotNote>,
    /// In order of schema and name. For tenant backups of the tenant's rows alone; empty for configuration backups.
    pub tables: Vec<TableNote>,
    pub wal: Option<WalRange>,
    pub streams: Vec<StreamNote>,
}

/// A table as it was at the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableNote {
    pub figures: Figures,
    pub columns: Vec<Column>,
}

/// The WAL that restoring needs at least; more leads to later points in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalRange {
    pub timeline: u32,
    pub start_lsn: String,
    pub end_lsn: String,
    pub segment_bytes: u64,
    /// The segments themselves are in the backup: it restores without the archive.
    pub is_included: bool,
}

/// One sealed stream of bytes, cut into packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamNote {
    /// Also the object name that the sealed bytes are bound to.
    pub name: String,
    pub plain_bytes: u64,
    pub sealed_bytes: u64,
    /// Hexadecimal SHA-256 of all sealed bytes.
    pub sha256: String,
    pub packs: Vec<Pack>,
}

/// The newest form.
pub const VERSION: u32 = 1;
const ENVELOPE: Envelope =
    Envelope { magic: b"cfoilmf1", object: "manifest", level: 3, plain_bytes_max: MANIFEST_BYTES_MAX };

impl Manifest {
    pub fn folder(&self) -> Result<BackupFolder> {
        let cluster = Cluster::parse(&self.cluster).map_err(|error| Error::Refused(error.to_string()))?;
        Ok(BackupFolder { cluster, class: self.class, id: self.id })
    }

    /// In all stores, without the manifest.
    pub fn sealed_bytes(&self) -> u64 {
        self.streams.iter().map(|stream| stream.sealed_bytes).sum()
    }

    pub fn plain_bytes(&self) -> u64 {
        self.streams.iter().map(|stream| stream.plain_bytes).sum()
    }

    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.figures.rows).sum()
    }

    pub fn stream(&self, name: &str) -> Result<&StreamNote> {
        self.streams
            .iter()
            .find(|stream| stream.name == name)
            .ok_or_else(|| Error::Refused(format!("backup {} has no part {name:?}", self.id)))
    }

    /// When what it holds was so: for retention and for people.
    pub fn taken_at(&self) -> DateTime<Utc> {
        self.snapshot.as_ref().map_or(self.started_at, |snapshot| snapshot.taken_at)
    }

    pub fn figures(&self) -> Vec<Figures> {
        self.tables.iter().map(|table| table.figures.clone()).collect()
    }

    /// As it goes to the stores.
    pub fn seal(&self, key: &DataKey, wrapped: &WrappedKey) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::Io { doing: "writing the manifest".into(), source: error.into() })?;
        envelope::seal(&ENVELOPE, self.id, key, wrapped, &json)
    }

    /// Opens what [`Self::seal`] made. `other_keys`: the data key as other keys have wrapped it since.
    pub fn open(bytes: &[u8], ring: &KeyRing, other_keys: &[WrappedKey]) -> Result<(Self, DataKey)> {
        let damaged = |how: String| Error::Damaged { what: "the manifest".into(), how };
        let (id, key, json) = envelope::open(&ENVELOPE, bytes, ring, other_keys)?;
        let version =
            serde_json::from_slice::<VersionOnly>(&json).map_err(|error| damaged(error.to_string()))?.v;
        if version != VERSION {
            return Err(Error::Refused(format!(
                "backup {id} is of form {version}, and this version of Counterfoil reads form {VERSION}"
            )));
        }
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        if manifest.id != id {
            return Err(damaged("it speaks of another backup".into()));
        }
        Ok((manifest, key))
    }
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u32,
}

/// Reads a backup's manifest from the first store that has it whole.
pub async fn read_manifest(
    stores: &Stores,
    folder: &BackupFolder,
    ring: &KeyRing,
) -> Result<(Manifest, DataKey)> {
    let name = folder.manifest();
    let open = |bytes: Bytes| match Manifest::open(&bytes, ring, &[]) {
        Ok(opened) => Ok(Ok(opened)),
        // The next store's copy would say the same: that is no damage.
        Err(error @ (Error::Key(KeyError::Unknown(_)) | Error::Refused(_))) => Ok(Err((bytes, error))),
        Err(error) => Err(shared::chain(&error)),
    };
    let opened = stores
        .get_checked(&name, MANIFEST_BYTES_MAX as usize, open)
        .await
        .map_err(|error| not_read(&error))?;
    let (manifest, key) = match opened {
        Ok(opened) => opened,
        Err((bytes, error @ Error::Key(_))) => {
            let others = wrapped_keys(stores, folder).await;
            Manifest::open(&bytes, ring, &others).map_err(|_| error)?
        }
        Err((_, error)) => return Err(error),
    };
    if manifest.folder()? != *folder {
        return Err(Error::Damaged { what: name.to_string(), how: "it belongs to another place".into() });
    }
    Ok((manifest, key))
}

/// The id that its key is bound to, and that key as it was wrapped when the backup was taken. `bytes`: of the manifest.
pub(crate) async fn head(engine: &Engine, folder: &BackupFolder, bytes: u64) -> Result<(Uuid, WrappedKey)> {
    let bytes = bytes.min(envelope::START_BYTES) as usize;
    let read = |start: Bytes| envelope::head(&ENVELOPE, &start).map_err(|error| error.to_string());
    engine.stores.get_start(&folder.manifest(), bytes, read).await.map_err(|error| not_read(&error))
}

/// The data key of a backup as later keys have wrapped it.
pub(crate) async fn wrapped_keys(stores: &Stores, folder: &BackupFolder) -> Vec<WrappedKey> {
    let listing = stores.list(&folder.cluster.wrapped_keys_prefix(folder.id)).await;
    let mut keys = vec![];
    for name in listing.objects.keys() {
        let read = |bytes: Bytes| serde_json::from_slice::<WrappedKey>(&bytes);
        // Ones that cannot be had do not keep the others from opening it.
        keys.extend(stores.get_checked(name, 4096, read).await.ok());
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest_samples::base;
    use proptest::prelude::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const OTHER: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn sealed(manifest: &Manifest) -> (Vec<u8>, KeyRing, WrappedKey) {
        let (ring, key) = (KeyRing::parse([KEY]).unwrap(), DataKey::generate().unwrap());
        let wrapped = ring.wrap(manifest.id, &key).unwrap();
        (manifest.seal(&key, &wrapped).unwrap(), ring, wrapped)
    }

    #[test]
    fn it_opens_with_its_key_and_after_rotation_with_the_one_that_wrapped_it_again() {
        let manifest = base(1, 0, 1, 3);
        let (bytes, ring, wrapped) = sealed(&manifest);
        assert_eq!(Manifest::open(&bytes, &ring, &[]).unwrap().0, manifest);
        let newer = KeyRing::parse([OTHER]).unwrap();
        assert!(matches!(Manifest::open(&bytes, &newer, &[]), Err(Error::Key(KeyError::Unknown(_)))));
        let rewrapped = KeyRing::parse([OTHER, KEY]).unwrap().rewrap(manifest.id, &wrapped).unwrap().unwrap();
        assert_eq!(Manifest::open(&bytes, &newer, &[rewrapped]).unwrap().0, manifest);
    }

    #[test]
    fn a_later_form_is_refused_by_name() {
        let (bytes, ring, _) = sealed(&Manifest { v: 2, ..base(1, 0, 1, 3) });
        let refused = Manifest::open(&bytes, &ring, &[]).unwrap_err();
        assert!(matches!(&refused, Error::Refused(why) if why.contains("form 2")), "{refused}");
    }

    proptest! {
        #[test]
        fn a_flipped_bit_or_a_cut_never_changes_what_it_says(at in any::<prop::sample::Index>(), bit in 0..8u32, cuts: bool) {
            let manifest = base(1, 0, 1, 3);
            let (mut bytes, ring, _) = sealed(&manifest);
            let at = at.index(bytes.len());
            if cuts { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            // The letter case of a hexadecimal digit in the head is the one thing that may change.
            if let Ok((opened, _)) = Manifest::open(&bytes, &ring, &[]) {
                prop_assert!(!cuts && opened == manifest);
            }
        }
    }
}
