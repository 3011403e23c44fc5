//! Reads that fail over: the first store in the configured order whose object is whole.

use super::Stores;
use super::error::StoreError;
use super::kept::{Kept, asked};
use super::names::ObjectName;
use super::pack::Pack;
use super::spool::{Owed, Reason};
use super::store::StoreName;
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

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
        let read = |kept| read_file(kept, pack, &self.settings().temp_dir).boxed();
        self.first_whole(&pack.object, Some(pack), read, Ok).await
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

    /// The bytes of all packs one after the other, for a blocking thread: `ahead` of them are fetched while one is
    /// read. Disk: `ahead + 1` packs.
    pub fn read_packs(&self, packs: Vec<Pack>, ahead: usize, runtime: Handle) -> PackReader {
        PackReader {
            stores: self.clone(),
            waiting: packs.into(),
            fetching: VecDeque::new(),
            current: None,
            ahead,
            runtime,
        }
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

/// Into a temporary file in `dir`, its digest checked.
async fn read_file(kept: &Kept, pack: &Pack, dir: &Path) -> Result<File, StoreError> {
    let mut file = tempfile::tempfile_in(dir).map_err(here)?;
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

/// Reads packs as one stream; see [`Stores::read_packs`].
pub struct PackReader {
    stores: Stores,
    waiting: VecDeque<Pack>,
    fetching: VecDeque<AbortOnDropHandle<Result<File, ReadError>>>,
    current: Option<File>,
    ahead: usize,
    runtime: Handle,
}

impl Read for PackReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(file) = &mut self.current {
                match file.read(into)? {
                    0 => self.current = None,
                    length => return Ok(length),
                }
            }
            while self.fetching.len() <= self.ahead
                && let Some(pack) = self.waiting.pop_front()
            {
                let stores = self.stores.clone();
                let fetched = self.runtime.spawn(async move { stores.fetch(&pack).await });
                self.fetching.push_back(AbortOnDropHandle::new(fetched));
            }
            let Some(next) = self.fetching.pop_front() else { return Ok(0) };
            let fetched = self.runtime.block_on(next).map_err(io::Error::other)?;
            self.current = Some(fetched.map_err(io::Error::other)?);
        }
    }
}
