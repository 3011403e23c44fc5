//! What is owed to stores: notes of the objects that a store should have and has not, and copies of those that might
//! not be whole anywhere else. A folder; several processes may share it.

use super::disk::{Disk, blocking};
use super::error::StoreError;
use super::kept::{Kept, sha256};
use super::names::ObjectName;
use super::pack::{Pack, Sha256Hex};
use super::store::{Store, StoreName};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::breaker::BreakerRules;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Spool {
    kept: Arc<Kept>,
    notes: PathBuf,
}

/// An object that a store should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owed {
    pub store: StoreName,
    pub pack: Pack,
    pub reason: Reason,
    pub since: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Missing,
    /// What is there has another digest, and may be replaced.
    Damaged,
}

/// Name of the spool in errors, metrics and statuses; no store may have it.
pub(crate) const SPOOL: &str = "spool";
const NOTES: &str = "owed";

impl Spool {
    /// `bytes_max`: of the copies.
    pub fn open(dir: &Path, bytes_max: u64) -> Result<Self, StoreError> {
        let notes = dir.join(NOTES);
        std::fs::create_dir_all(&notes)?;
        let name = StoreName::parse(SPOOL).expect("a constant name");
        let disk = Disk::open(dir.to_owned(), Some(bytes_max))?;
        Ok(Self { kept: Arc::new(Kept::new(name, Store::Disk(disk), BreakerRules::default())), notes })
    }

    /// The copies, as a store.
    pub fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// Writes notes down, durably. The same object twice for the same store is one note.
    pub async fn owe(&self, owed: Vec<Owed>) -> Result<(), StoreError> {
        let notes = self.notes.clone();
        blocking(move || {
            for owed in &owed {
                let path = path_of(&notes, &owed.store, &owed.pack.object);
                let mut note = tempfile::NamedTempFile::new_in(&notes)?;
                note.write_all(&serde_json::to_vec(owed).map_err(io::Error::from)?)?;
                note.as_file().sync_all()?;
                note.persist(path).map_err(|error| error.error)?;
            }
            Ok(std::fs::File::open(&notes)?.sync_all()?)
        })
        .await
    }

    /// All notes; an unreadable one, half-written by a full disk perhaps, is removed with a warning: verification
    /// finds again what it was about.
    pub async fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        let notes = self.notes.clone();
        blocking(move || {
            let mut owed = vec![];
            for note in std::fs::read_dir(&notes)? {
                let path = note?.path();
                if path.extension().is_none_or(|e| e != "json") {
                    continue;
                }
                let bytes = match std::fs::read(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    bytes => bytes?,
                };
                match serde_json::from_slice(&bytes) {
                    Ok(note) => owed.push(note),
                    Err(error) => {
                        tracing::warn!(note = %path.display(), %error, "a note of what is owed is unreadable");
                        std::fs::remove_file(&path)?;
                    }
                }
            }
            Ok(owed)
        })
        .await
    }

    /// Forgets a note; not an error when it is gone.
    pub async fn forget(&self, store: &StoreName, object: &ObjectName) -> Result<(), StoreError> {
        let path = path_of(&self.notes, store, object);
        blocking(move || match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        })
        .await
    }
}

fn path_of(notes: &Path, store: &StoreName, object: &ObjectName) -> PathBuf {
    // Names of objects are longer than names of files may be.
    notes.join(format!("{store}.{}.json", Sha256Hex(sha256(object.as_str().as_bytes()))))
}
