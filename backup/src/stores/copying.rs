//! An object from one store to another, checked on the way.

use super::Settings;
use super::error::StoreError;
use super::kept::{Kept, tried};
use super::pack::Pack;
use super::store::{Creation, Upload};
use bytes::BytesMut;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

/// Why an object was not copied.
pub(super) struct CopyError {
    /// Another source may do better.
    pub of_source: bool,
    pub error: StoreError,
}

/// Memory: two parts. What is not whole at the source never becomes visible at the target.
pub(super) async fn copy(
    source: &Kept,
    target: &Kept,
    pack: &Pack,
    creation: Creation,
    settings: &Settings,
) -> Result<(), CopyError> {
    let mut upload = target.store.upload(&pack.object, creation);
    let copied = transfer(source, target, pack, &mut upload, settings).await;
    if copied.is_err() {
        // What an abort leaves is found by the sweeper.
        let _ = upload.abort().await;
    }
    copied
}

async fn transfer(
    source: &Kept,
    target: &Kept,
    pack: &Pack,
    upload: &mut Upload,
    settings: &Settings,
) -> Result<(), CopyError> {
    let of_source = |error| CopyError { of_source: true, error };
    let of_target = |error| CopyError { of_source: false, error };
    let damaged = || of_source(StoreError::damaged("its digest is not what it must be"));
    let mut chunks = source.noted(source.store.get(&pack.object, None).await).map_err(of_source)?;
    let (mut part, mut digest, mut size_bytes) = (BytesMut::new(), Sha256::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let mut chunk = source.noted(chunk).map_err(of_source)?;
        size_bytes += chunk.len() as u64;
        if size_bytes > pack.size_bytes {
            return Err(damaged());
        }
        digest.update(&chunk);
        while !chunk.is_empty() {
            let room = settings.part_bytes - part.len();
            part.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            if part.len() == settings.part_bytes {
                let full = part.split().freeze();
                let put = tried!(target, settings.tries, upload.part(full.clone()));
                put.map_err(of_target)?;
            }
        }
    }
    if size_bytes != pack.size_bytes || *digest.finalize() != pack.sha256.0 {
        return Err(damaged());
    }
    if !part.is_empty() {
        let last = part.freeze();
        let put = tried!(target, settings.tries, upload.part(last.clone()));
        put.map_err(of_target)?;
    }
    match tried!(target, settings.tries, upload.finish()) {
        // The caller looks at what is there.
        Err(StoreError::Exists) => Ok(()),
        other => other.map_err(of_target),
    }
}
