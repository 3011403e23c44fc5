//! Where uploaded files live: immutable bytes under typed keys.
//!
//! Today on local disk (which several processes may share by a network mount).

use crate::ids::{FileId, ProjectId};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// The name of an object: made by what it is for, never by gluing strings elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectKey(String);

impl ObjectKey {
    pub fn for_upload(project: ProjectId, file: FileId) -> Self {
        Self(format!("projects/{project}/files/{file}"))
    }

    /// A key read back from the database.
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Debug)]
pub enum Objects {
    LocalDisk { root: PathBuf },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOutcome {
    pub size_bytes: u64,
    pub sha256: [u8; 32],
}

/// See [`Objects::room`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub size_bytes: u64,
    /// Without what is kept back for root.
    pub free_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// More than the caller allows; nothing was kept.
    #[error("the object is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    /// The sender's stream broke off; nothing was kept.
    #[error("the upload broke off")]
    Source(E),
    /// Ours to fix (disk full, permissions); nothing was kept.
    #[error("writing to the object store")]
    Store(#[source] io::Error),
}

impl Objects {
    /// Creates the folder if it is missing.
    pub fn local_disk(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        Ok(Self::LocalDisk { root })
    }

    /// Streams an object in; memory is bounded by one chunk. It appears whole and durable, or not at all.
    pub async fn put<S, E>(
        &self,
        key: &ObjectKey,
        mut chunks: S,
        bytes_max: u64,
    ) -> Result<PutOutcome, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let Self::LocalDisk { root } = self;
        let path = root.join(key.as_str());
        let part = Part::create(&path).await.map_err(PutError::Store)?;
        let mut file = tokio::fs::File::create(&part.0).await.map_err(PutError::Store)?;
        let (mut size_bytes, mut digest) = (0u64, Sha256::new());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(PutError::Source)?;
            size_bytes += chunk.len() as u64;
            if size_bytes > bytes_max {
                return Err(PutError::TooLarge { bytes_max });
            }
            digest.update(&chunk);
            file.write_all(&chunk).await.map_err(PutError::Store)?;
        }
        async {
            file.sync_all().await?;
            tokio::fs::rename(&part.0, &path).await?;
            // The rename itself must survive a power cut too.
            let folder = path.parent().expect("keys have a folder").to_owned();
            tokio::fs::File::open(folder).await?.sync_all().await
        }
        .await
        .map_err(PutError::Store)?;
        Ok(PutOutcome { size_bytes, sha256: digest.finalize().into() })
    }

    /// Opens an object for reading from a blocking thread. `NotFound` when there is none.
    pub fn open(&self, key: &ObjectKey) -> io::Result<std::fs::File> {
        let Self::LocalDisk { root } = self;
        std::fs::File::open(root.join(key.as_str()))
    }

    /// Removes an object; not an error when there is none.
    pub async fn delete(&self, key: &ObjectKey) -> io::Result<()> {
        let Self::LocalDisk { root } = self;
        match tokio::fs::remove_file(root.join(key.as_str())).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Of the file system it is on.
    pub fn room(&self) -> io::Result<Room> {
        let Self::LocalDisk { root } = self;
        let path = std::ffi::CString::new(root.as_os_str().as_encoded_bytes())?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path ends with a zero byte, and the structure is ours to be written.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, so it has written the structure.
        let stat = unsafe { stat.assume_init() };
        let block = stat.f_frsize;
        Ok(Room { size_bytes: block * stat.f_blocks, free_bytes: block * stat.f_bavail })
    }

    /// Whether the store can take writes, for health checks.
    pub async fn check(&self) -> io::Result<()> {
        let Self::LocalDisk { root } = self;
        let probe = Part::create(&root.join("probe")).await?;
        tokio::fs::write(&probe.0, b"probe").await
    }
}

/// A file being written; removed when dropped unless it was renamed away.
struct Part(PathBuf);

impl Part {
    async fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().expect("keys have a folder");
        tokio::fs::create_dir_all(folder).await?;
        Ok(Self(path.with_extension(format!("{}.part", uuid::Uuid::now_v7()))))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::io::Read;

    fn key() -> ObjectKey {
        ObjectKey::for_upload(ProjectId::new(), FileId::new())
    }

    fn chunks(parts: &[&'static str]) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin + use<> {
        let parts: Vec<_> = parts.iter().map(|p| Ok(Bytes::from_static(p.as_bytes()))).collect();
        stream::iter(parts)
    }

    fn files_under(root: &Path) -> usize {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries.map(|e| if e.path().is_dir() { files_under(&e.path()) } else { 1 }).sum()
    }

    #[tokio::test]
    async fn what_is_put_is_read_back_with_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::local_disk(dir.path().into()).unwrap();
        let key = key();
        let put = objects.put(&key, chunks(&["ab", "c"]), 3).await.unwrap();
        assert_eq!(put.size_bytes, 3);
        assert_eq!(put.sha256, <[u8; 32]>::from(Sha256::digest(b"abc")));
        let mut text = String::new();
        objects.open(&key).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
        objects.delete(&key).await.unwrap();
        objects.delete(&key).await.unwrap();
        assert_eq!(objects.open(&key).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_upload_that_is_too_large_or_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::local_disk(dir.path().into()).unwrap();
        let too_large = objects.put(&key(), chunks(&["ab", "cd"]), 3).await;
        assert!(matches!(too_large, Err(PutError::TooLarge { bytes_max: 3 })));
        let broken = stream::iter([Ok(Bytes::from_static(b"ab")), Err(io::Error::other("cut"))]);
        assert!(matches!(objects.put(&key(), broken, 100).await, Err(PutError::Source(_))));
        assert_eq!(files_under(dir.path()), 0);
    }
}
