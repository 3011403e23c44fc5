//! Reads that fail over: the first store in the configured order whose object is whole.

use super::Stores;
use super::error::StoreError;
use super::kept::{Kept, asked};
use super::names::ObjectName;
use super::pack::Pack;
use super::pack_folder::PackFolder;
use super::spool::{Owed, Reason};
use super::store::StoreName;
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Seek, Write};

/// No store gave the object.
#[derive(Debug, thiserror::Error)]
#[error("{object} is whole in no store: {}", list(.tries))]
pub struct ReadError {
    pub object: ObjectName,
    /// What each store answered last, in the order of asking.
    pub tries: Vec<(StoreName, StoreError)>,
}

impl ReadError {
    /// Whether all stores answered that they have no such object.
    pub fn is_missing(&self) -> bool {
        self.tries.iter().all(|(_, error)| matches!(error, StoreError::Missing))
    }
}

fn list(tries: &[(StoreName, StoreError)]) -> String {
    let tries: Vec<_> = tries.iter().map(|(store, error)| format!("{store}: {error}")).collect();
    tries.join("; ")
}

impl Stores {
    /// The whole object in a temporary file that has no name and goes with its handle; its digest was found right
    /// before this returns. Disk: the object's size, in [`super::Settings::temp_dir`]; memory: a chunk.
    ///
    /// A store that gives it damaged or not at all is owed it from then on.
    pub async fn fetch(&self, pack: &Pack) -> Result<File, ReadError> {
        let temp_dir = &self.settings().temp_dir;
        let read = |kept| read_file(kept, pack, tempfile::tempfile_in(temp_dir)).boxed();
        self.first_whole(&pack.object, Some(pack), read, Ok).await
    }

    /// As [`Self::fetch`], in a file of `folder`, where it stays; no store is asked for what is whole there already.
    pub async fn fetch_into(&self, pack: &Pack, folder: &PackFolder) -> Result<File, ReadError> {
        if let Some(whole) = folder.take_up(pack).await {
            return Ok(whole);
        }
        let read = |kept| read_file(kept, pack, folder.begin(pack)).boxed();
        let arrived = |file| folder.arrived(pack).map(|()| file).map_err(here);
        self.first_whole(&pack.object, Some(pack), read, arrived).await
    }

    /// A small object whose digest nobody knows: `check` says whether the bytes are what they must be (by opening
    /// them, say) and what to make of them. Larger than `bytes_max` is taken for damage.
    pub async fn get_checked<T, E: ToString>(
        &self,
        object: &ObjectName,
        bytes_max: usize,
        check: impl Fn(Bytes) -> Result<T, E>,
    ) -> Result<T, ReadError> {
        let read = |kept| read_small(kept, object, bytes_max).boxed();
        self.first_whole(object, None, read, |bytes| check(bytes).map_err(StoreError::damaged)).await
    }

    /// As [`Self::get_checked`], of the first `bytes` of a larger object; the rest is neither read nor checked.
    pub async fn get_start<T, E: ToString>(
        &self,
        object: &ObjectName,
        bytes: usize,
        check: impl Fn(Bytes) -> Result<T, E>,
    ) -> Result<T, ReadError> {
        let read = |kept| read_range(kept, object, Some(0..bytes as u64), bytes).boxed();
        self.first_whole(object, None, read, |bytes| check(bytes).map_err(StoreError::damaged)).await
    }

    /// A small object whose digest is known.
    pub async fn get(&self, pack: &Pack) -> Result<Bytes, ReadError> {
        let read = |kept| read_small(kept, &pack.object, pack.size_bytes as usize).boxed();
        let check = |bytes: Bytes| {
            let is_right = Pack::of(pack.object.clone(), &bytes) == *pack;
            is_right.then_some(bytes).ok_or_else(|| StoreError::damaged("its digest is not what it must be"))
        };
        self.first_whole(&pack.object, Some(pack), read, check).await
    }

    /// Asks one store after the other, all of them again after a pause when one of them was merely unavailable.
    async fn first_whole<'s, R, T>(
        &'s self,
        object: &ObjectName,
        pack: Option<&Pack>,
        read: impl Fn(&'s Kept) -> BoxFuture<'s, Result<R, StoreError>>,
        check: impl Fn(R) -> Result<T, StoreError>,
    ) -> Result<T, ReadError> {
        let settings = self.settings();
        let mut made = 0;
        loop {
            made += 1;
            let mut tries = vec![];
            for kept in self.sources() {
                match asked!(kept, async { read(kept).await.and_then(&check) }) {
                    Ok(whole) => {
                        self.owe_to_those_without(pack, &tries).await;
                        return Ok(whole);
                    }
                    Err(error) => {
                        tracing::debug!(store = %kept.name, %object, %error, "asking the next store");
                        tries.push((kept.name.clone(), error));
                    }
                }
            }
            let again = tries.iter().any(|(_, error)| matches!(error, StoreError::Unavailable { .. }));
            if !again || made >= settings.tries.tries {
                return Err(ReadError { object: object.clone(), tries });
            }
            settings.tries.pause(made).await;
        }
    }

    async fn owe_to_those_without(&self, pack: Option<&Pack>, tries: &[(StoreName, StoreError)]) {
        let (Some(spool), Some(pack)) = (self.spool(), pack) else { return };
        let owed =
            tries.iter().filter(|(store, _)| *store != spool.kept().name).filter_map(|(store, error)| {
                let reason = match error {
                    StoreError::Missing => Reason::Missing,
                    StoreError::Damaged { .. } => Reason::Damaged,
                    _ => return None,
                };
                tracing::warn!(%store, object = %pack.object, %error, "a store must be healed");
                Some(Owed { store: store.clone(), pack: pack.clone(), reason, since: Utc::now() })
            });
        let owed: Vec<_> = owed.collect();
        if owed.is_empty() {
            return;
        }
        match spool.owe(owed).await {
            Ok(()) => self.wake_synchroniser(),
            Err(error) => tracing::warn!(%error, "what is owed to stores could not be written down"),
        }
    }
}

/// Into an empty file, its digest checked.
async fn read_file(kept: &Kept, pack: &Pack, empty: io::Result<File>) -> Result<File, StoreError> {
    let mut file = empty.map_err(here)?;
    let (mut digest, mut size_bytes) = (Sha256::new(), 0u64);
    let mut chunks = kept.store.get(&pack.object, None).await?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        size_bytes += chunk.len() as u64;
        if size_bytes > pack.size_bytes {
            break;
        }
        let written = tokio::task::spawn_blocking(move || {
            digest.update(&chunk);
            file.write_all(&chunk).map(|()| (file, digest))
        });
        (file, digest) = written.await.map_err(StoreError::unavailable)?.map_err(here)?;
    }
    if size_bytes != pack.size_bytes || *digest.finalize() != pack.sha256.0 {
        return Err(StoreError::damaged("its digest is not what it must be"));
    }
    file.rewind().map_err(here)?;
    Ok(file)
}

pub(super) async fn read_small(
    kept: &Kept,
    object: &ObjectName,
    bytes_max: usize,
) -> Result<Bytes, StoreError> {
    read_range(kept, object, None, bytes_max).await
}

async fn read_range(
    kept: &Kept,
    object: &ObjectName,
    range: Option<std::ops::Range<u64>>,
    bytes_max: usize,
) -> Result<Bytes, StoreError> {
    let mut chunks = kept.store.get(object, range).await?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > bytes_max {
            return Err(StoreError::damaged(format!("it is longer than {bytes_max} bytes")));
        }
    }
    Ok(bytes.freeze())
}

/// Our own disk, not the store's: not a reason to take the store for damaged or without the object.
fn here(error: io::Error) -> StoreError {
    StoreError::Refused { why: format!("the temporary file here: {error}") }
}
