//! An object arriving at a disk store.

use super::disk::{Disk, PART_PREFIX, blocking};
use super::error::StoreError;
use super::store::Creation;
use bytes::Bytes;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;

/// A temporary file that becomes the object.
#[derive(Debug)]
pub struct DiskUpload {
    disk: Disk,
    path: PathBuf,
    creation: Creation,
    file: Option<Arc<std::fs::File>>,
    part: PartFile,
    written: u64,
    /// Held by work on a blocking thread, which goes on when the future that waits for it is dropped.
    busy: Arc<Mutex<()>>,
}

impl DiskUpload {
    pub(super) fn new(disk: Disk, path: PathBuf, creation: Creation) -> Self {
        let part = path.with_file_name(format!("{PART_PREFIX}{}", Uuid::now_v7()));
        let part = PartFile { path: part, disk: disk.clone(), reserved: 0 };
        Self { disk, path, creation, file: None, part, written: 0, busy: Arc::default() }
    }

    pub(super) async fn part(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        // What a failed try has reserved is enough for the next one.
        let needed = self.written + bytes.len() as u64;
        if needed > self.part.reserved {
            self.disk.take(needed - self.part.reserved)?;
            self.part.reserved = needed;
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let path = self.part.path.clone();
                let busy = self.busy.clone().lock_owned().await;
                let create = move || {
                    let _busy = busy;
                    create(&path)
                };
                let file = blocking(create).await?;
                self.file.insert(Arc::new(file)).clone()
            }
        };
        let (at, length) = (self.written, bytes.len() as u64);
        let busy = self.busy.clone().lock_owned().await;
        blocking(move || {
            let _busy = busy;
            // Where it belongs, not where a failed try has stopped.
            let mut file = &*file;
            file.seek(SeekFrom::Start(at))?;
            Ok(file.write_all(&bytes)?)
        })
        .await?;
        self.written += length;
        Ok(())
    }

    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        if self.file.is_none() {
            self.part(Bytes::new()).await?;
        }
        let file = self.file.clone().expect("opened by the first part");
        let (part, path, creation) = (self.part.path.clone(), self.path.clone(), self.creation);
        blocking(move || {
            file.sync_all()?;
            match creation {
                Creation::Replace => std::fs::rename(&part, &path)?,
                Creation::Only => make_visible(&part, &path)?,
            }
            // The new name must survive a power cut too.
            let folder = path.parent().expect("an object has a folder");
            Ok(std::fs::File::open(folder)?.sync_all()?)
        })
        .await?;
        self.part.reserved = 0;
        Ok(())
    }

    pub(super) async fn abort(self) -> Result<(), StoreError> {
        // Or a file could be created after it was removed.
        let idle = self.busy.clone().lock_owned().await;
        drop((self, idle));
        Ok(())
    }
}

fn create(path: &Path) -> Result<std::fs::File, StoreError> {
    let create = || {
        std::fs::create_dir_all(path.parent().expect("an object has a folder"))?;
        std::fs::OpenOptions::new().write(true).create_new(true).open(path)
    };
    // A deletion may take the folder away between the two, as it was empty.
    Ok(create()
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { create() } else { Err(error) })?)
}

/// Gives the file its name if nothing has it yet: a link, unlike a rename, never replaces.
fn make_visible(part: &Path, path: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, path) {
        Ok(()) => std::fs::remove_file(part),
        // Some network mounts know no links. Two writers at the same instant are not told apart there.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
        {
            if path.try_exists()? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(part, path)
        }
        Err(error) => Err(error),
    }
}

/// Removed when dropped, unless it has become the object.
#[derive(Debug)]
struct PartFile {
    path: PathBuf,
    disk: Disk,
    /// Bytes taken from the store's `bytes_max`.
    reserved: u64,
}

impl Drop for PartFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.disk.give_back(self.reserved);
    }
}
