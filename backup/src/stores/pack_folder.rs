//! Where fetched packs stay while a restore needs them: one that was killed, or that the stores left alone, goes on with
//! them instead of fetching them again.

use super::kept::Sha256Bytes;
use super::pack::Pack;
use super::room::free_bytes;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder with a file for each pack, called by its digest. What has that name was whole when it got it, and is read
/// again before it is used: a disk that was cut off in between, or changed since, costs a fetch and nothing else.
///
/// One restore at a time: whoever opens it holds a lock on what it is in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PackFolder {
    dir: PathBuf,
    taken_up: Arc<AtomicUsize>,
}

const READ_BYTES: usize = 1 << 20;

impl PackFolder {
    /// Makes the folder, for us alone, unless it is there.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Ok(Self { dir, taken_up: Arc::default() })
    }

    /// As [`Self::open`], when there is room for `packs` beside `other_bytes` more; otherwise `None`, and what was there
    /// is gone: a restore goes without rather than fill the disk with what it can fetch again.
    pub fn open_with_room<'p>(
        dir: PathBuf,
        packs: impl IntoIterator<Item = &'p Pack>,
        other_bytes: u64,
    ) -> io::Result<Option<Self>> {
        let folder = Self::open(dir)?;
        let length = |pack: &Pack| fs::metadata(folder.path(pack)).map_or(0, |found| found.len());
        let missing: u64 = packs.into_iter().map(|pack| pack.size_bytes.saturating_sub(length(pack))).sum();
        let free_bytes = free_bytes(&folder.dir)?;
        if free_bytes >= missing.saturating_add(other_bytes) {
            return Ok(Some(folder));
        }
        tracing::info!(
            free_bytes,
            missing,
            other_bytes,
            "no room to keep what is fetched until it is restored"
        );
        folder.remove()?;
        Ok(None)
    }

    /// How many packs no store was asked for, since it was opened.
    pub fn taken_up(&self) -> usize {
        self.taken_up.load(Ordering::Relaxed)
    }

    /// With everything in it.
    pub fn remove(self) -> io::Result<()> {
        remove(&self.dir)
    }

    /// The pack, from its beginning, if it is here and whole.
    pub(super) async fn take_up(&self, pack: &Pack) -> Option<File> {
        let (path, wanted) = (self.path(pack), pack.clone());
        let looked = tokio::task::spawn_blocking(move || whole(&path, &wanted)).await;
        let file = looked
            .ok()?
            .inspect_err(|error| tracing::warn!(%error, "a fetched object is not read"))
            .ok()??;
        self.taken_up.fetch_add(1, Ordering::Relaxed);
        Some(file)
    }

    /// An empty file for it.
    pub(super) fn begin(&self, pack: &Pack) -> io::Result<File> {
        File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(self.part(pack))
    }

    /// Its digest was found right.
    pub(super) fn arrived(&self, pack: &Pack) -> io::Result<()> {
        fs::rename(self.part(pack), self.path(pack))
    }

    fn path(&self, pack: &Pack) -> PathBuf {
        self.dir.join(pack.sha256.to_string())
    }

    fn part(&self, pack: &Pack) -> PathBuf {
        self.dir.join(format!("{}.part", pack.sha256))
    }
}

/// A folder of packs, whoever made it; none is no error.
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn whole(path: &Path, pack: &Pack) -> io::Result<Option<File>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.metadata()?.len() != pack.size_bytes || digest(&mut file)? != pack.sha256.0 {
        tracing::warn!(object = %pack.object, "what was fetched of it is not what it was: fetching it again");
        return Ok(None);
    }
    file.rewind()?;
    Ok(Some(file))
}

fn digest(file: &mut File) -> io::Result<Sha256Bytes> {
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(digest.finalize().into()),
            length => digest.update(&chunk[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::ObjectName;
    use super::*;
    use std::io::Write;

    fn pack(text: &str) -> Pack {
        Pack::of(ObjectName::parse(&format!("v1/main/full/{text}")).unwrap(), text.as_bytes())
    }

    fn put(folder: &PackFolder, pack: &Pack, text: &str) {
        folder.begin(pack).unwrap().write_all(text.as_bytes()).unwrap();
        folder.arrived(pack).unwrap();
    }

    #[tokio::test]
    async fn only_what_is_whole_is_taken_up() {
        let dir = tempfile::tempdir().unwrap();
        let folder = PackFolder::open(dir.path().join("packs")).unwrap();
        let [one, two, half] = ["one", "two", "half"].map(pack);
        put(&folder, &one, "one");
        put(&folder, &two, "twO");
        folder.begin(&half).unwrap().write_all(b"half").unwrap();

        let folder = PackFolder::open(dir.path().join("packs")).unwrap();
        let mut text = String::new();
        folder.take_up(&one).await.unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");
        assert!(folder.take_up(&two).await.is_none(), "changed since");
        assert!(folder.take_up(&half).await.is_none(), "nobody has found it whole");
        assert_eq!(folder.taken_up(), 1);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let packs = [pack("one")];
        let open = |bytes| PackFolder::open_with_room(dir.path().join("packs"), &packs, bytes).unwrap();
        put(&open(0).unwrap(), &packs[0], "one");
        assert!(open(u64::MAX / 2).is_none());
        assert!(!dir.path().join("packs").exists());
        remove(&dir.path().join("packs")).unwrap();
    }
}
