//! A store in a folder: a second disk, a network mount.

use super::disk_upload::DiskUpload;
use super::error::StoreError;
use super::names::ObjectName;
use super::room::share_used;
use super::store::{ByteStream, Creation, Head, ListPage, StoredObject};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Disk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    bytes_max: Option<u64>,
    /// Of whole objects and of those arriving; counted at the start, then kept. Other processes that write to the
    /// same folder are seen at the next start.
    bytes: AtomicU64,
}

/// What is read at once.
const READ_BYTES: usize = 1 << 20;
/// Names of objects do not begin with a dot.
pub(super) const PART_PREFIX: &str = ".part-";
/// What every name begins with. Other files of the folder (`lost+found`, say) are no business of ours.
const OBJECTS: &str = "v1";

impl Disk {
    /// Makes the folder if it is missing. Where that cannot be done the store is there and fails when it is used: the
    /// other stores must be readable without it. `bytes_max`: more than this in all is refused as
    /// [`StoreError::Full`]. Counts what is there when `bytes_max` is given.
    pub fn open(root: PathBuf, bytes_max: Option<u64>) -> Result<Self, StoreError> {
        if let Err(error) = std::fs::create_dir_all(&root) {
            tracing::warn!(dir = %root.display(), %error, "the folder of a backup store cannot be made");
            return Ok(Self { shared: Arc::new(Shared { root, bytes_max, bytes: 0.into() }) });
        }
        let mut bytes = 0;
        if bytes_max.is_some() {
            walk(&root.join(OBJECTS), &mut |_, found| bytes += found.len())?;
        }
        Ok(Self { shared: Arc::new(Shared { root, bytes_max, bytes: bytes.into() }) })
    }

    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Bytes that still fit below `bytes_max`.
    pub fn bytes_left(&self) -> Option<u64> {
        let max = self.shared.bytes_max?;
        Some(max.saturating_sub(self.shared.bytes.load(Ordering::Relaxed)))
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.shared.root.join(name.as_str())
    }

    pub(super) async fn put(
        &self,
        name: &ObjectName,
        bytes: Bytes,
        creation: Creation,
    ) -> Result<(), StoreError> {
        let mut upload = self.upload(name, creation);
        let written = match upload.part(bytes).await {
            Ok(()) => upload.finish().await,
            error => error,
        };
        if written.is_err() {
            upload.abort().await?;
        }
        written
    }

    pub(super) fn upload(&self, name: &ObjectName, creation: Creation) -> DiskUpload {
        DiskUpload::new(self.clone(), self.path(name), creation)
    }

    pub(super) async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, StoreError> {
        let path = self.path(name);
        let file = blocking(move || {
            let mut file = std::fs::File::open(path)?;
            let Some(Range { start, end }) = range else { return Ok(file.take(u64::MAX)) };
            file.seek(SeekFrom::Start(start))?;
            Ok(file.take(end.saturating_sub(start)))
        })
        .await?;
        let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
            blocking(move || {
                let mut chunk = BytesMut::zeroed(READ_BYTES);
                let mut filled = 0;
                while filled < READ_BYTES {
                    match file.read(&mut chunk[filled..])? {
                        0 => break,
                        length => filled += length,
                    }
                }
                chunk.truncate(filled);
                Ok((filled > 0).then(|| (chunk.freeze(), file)))
            })
            .await
        });
        Ok(chunks.boxed())
    }

    pub(super) async fn head(&self, name: &ObjectName) -> Result<Head, StoreError> {
        let path = self.path(name);
        let found = blocking(move || {
            let found = std::fs::metadata(path)?;
            if found.is_file() { Ok(found) } else { Err(StoreError::Missing) }
        })
        .await?;
        Ok(Head { size_bytes: found.len(), modified_at: modified_at(&found), locked_until: None })
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<ListPage, StoreError> {
        let (root, prefix) = (self.shared.root.clone(), prefix.to_owned());
        blocking(move || {
            let mut objects = vec![];
            // Only the folder that all these names share is walked.
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            if Path::new(folder).components().any(|c| !matches!(c, std::path::Component::Normal(_))) {
                return Ok(ListPage { objects, next: None });
            }
            walk(&root.join(folder), &mut |path, found| {
                let name = path.strip_prefix(&root).ok().and_then(Path::to_str);
                let Some(name) = name.filter(|n| n.starts_with(&prefix)) else { return };
                let Ok(name) = ObjectName::parse(name) else { return };
                let (size_bytes, modified_at) = (found.len(), modified_at(found));
                objects.push(StoredObject { name, size_bytes, modified_at });
            })?;
            Ok(ListPage { objects, next: None })
        })
        .await
    }

    pub(super) async fn delete(&self, name: &ObjectName) -> Result<(), StoreError> {
        let (path, disk) = (self.path(name), self.clone());
        blocking(move || {
            let size_bytes = match std::fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                found => found?.len(),
            };
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            }
            disk.give_back(size_bytes);
            // Folders go with their last object; one that is not empty stays.
            let folders = path.ancestors().skip(1).take_while(|f| *f != disk.shared.root);
            for folder in folders {
                if std::fs::remove_dir(folder).is_err() {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn abort_unfinished(&self, prefix: &str, age: Duration) -> Result<u64, StoreError> {
        let (disk, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || {
            let (mut old, horizon) = (vec![], SystemTime::now() - age);
            let root = &disk.shared.root;
            walk(&root.join(OBJECTS), &mut |path, found| {
                let part =
                    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(PART_PREFIX));
                let below = path.strip_prefix(root).is_ok_and(|p| p.to_string_lossy().starts_with(&prefix));
                if part && below && found.modified().is_ok_and(|at| at < horizon) {
                    old.push((path.to_owned(), found.len()));
                }
            })?;
            for (path, size_bytes) in &old {
                std::fs::remove_file(path)?;
                disk.give_back(*size_bytes);
            }
            Ok(old.len() as u64)
        })
        .await
    }

    pub(super) async fn probe(&self) -> Result<f64, StoreError> {
        let disk = self.clone();
        blocking(move || {
            let probe = disk.shared.root.join(format!("{PART_PREFIX}{}", Uuid::now_v7()));
            std::fs::write(&probe, b"probe")?;
            std::fs::remove_file(&probe)?;
            let of_disk = share_used(&disk.shared.root)?;
            let used = disk.shared.bytes.load(Ordering::Relaxed) as f64;
            Ok(disk.shared.bytes_max.map_or(of_disk, |max| of_disk.max(used / max.max(1) as f64)))
        })
        .await
    }

    pub(super) fn take(&self, bytes: u64) -> Result<(), StoreError> {
        let Some(max) = self.shared.bytes_max else { return Ok(()) };
        let taken = self.shared.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|used| *used <= max)
        });
        taken.map(drop).map_err(|used| StoreError::Full { why: format!("{used} of {max} bytes are used") })
    }

    pub(super) fn give_back(&self, bytes: u64) {
        if self.shared.bytes_max.is_some() {
            // Files that others wrote since the start were never counted.
            let _ = self
                .shared
                .bytes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(bytes)));
        }
    }
}

/// Files that disappear meanwhile are passed over.
fn walk(folder: &Path, found: &mut impl FnMut(&Path, &std::fs::Metadata)) -> io::Result<()> {
    let files = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    for file in files {
        let file = file?;
        match file.metadata() {
            Ok(of) if of.is_dir() => walk(&file.path(), found)?,
            Ok(of) => found(&file.path(), &of),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn modified_at(found: &std::fs::Metadata) -> Option<DateTime<Utc>> {
    found.modified().ok().map(Into::into)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::unavailable)?
}
