//! A backup on its way from the stores into a database, on disk: what was fetched of it is not fetched again when
//! whoever fetched it was killed.

use crate::error::{Doing, Error, Result};
use crate::postgres::RESUMABLE_FOR;
use crate::stores::remove_packs;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use uuid::Uuid;

const PREFIX: &str = "counterfoil-staged-";
/// Locked while somebody is at it.
const LOCK: &str = "lock";
/// There when everything was fetched and opened.
const WHOLE: &str = "whole";
const TRIES: usize = 5;

/// A folder that only we may enter, removed with the value; left behind by a process that was killed, and then taken up
/// by the next one, or swept after a day.
pub(super) struct StagedDump {
    path: PathBuf,
    is_left: bool,
    _lock: File,
}

impl StagedDump {
    /// The one of this backup, or, while another process is at that, one of our own.
    pub fn take(parent: &Path, backup: Uuid) -> Result<Self> {
        sweep(parent);
        let shared = parent.join(format!("{PREFIX}{backup}"));
        let own = parent.join(format!("{PREFIX}{backup}-{}", Uuid::new_v4().simple()));
        let doing = || format!("making {}", shared.display());
        for _ in 0..TRIES {
            match lock(&shared).doing(doing())? {
                Locked::Ours(lock) => return Ok(Self { path: shared, is_left: false, _lock: lock }),
                Locked::Busy => break,
                Locked::Swept => {}
            }
        }
        match lock(&own).doing(doing())? {
            Locked::Ours(lock) => Ok(Self { path: own, is_left: false, _lock: lock }),
            Locked::Busy | Locked::Swept => {
                Err(Error::Refused(format!("{} is taken away as it is made", own.display())))
            }
        }
    }

    /// Of `pg_dump`, in directory format.
    pub fn dir(&self) -> PathBuf {
        self.path.join("dump")
    }

    /// For objects as they come from the stores, until the dump is whole.
    pub fn packs(&self) -> PathBuf {
        self.path.join("packs")
    }

    pub fn is_whole(&self) -> bool {
        self.path.join(WHOLE).exists()
    }

    /// Makes the dump's folder anew, empty: half a dump is worth nothing, for its parts follow from each other. The
    /// objects it is made of stay.
    pub fn empty(&self) -> Result<()> {
        let doing = || format!("emptying {}", self.path.display());
        for gone in [fs::remove_file(self.path.join(WHOLE)), fs::remove_dir_all(self.dir())] {
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).doing(doing()),
                _ => {}
            }
        }
        fs::create_dir(self.dir()).doing(doing())
    }

    /// What is in it is all of the backup. The rows are compared with the manifest later, whatever the disk made of them.
    pub fn mark_whole(&self) -> Result<()> {
        File::create(self.path.join(WHOLE)).doing("noting that the dump is whole")?;
        // Their room is the database's now, perhaps.
        remove_packs(&self.packs()).doing("removing what the dump was made of")
    }

    /// For the next one, as a signal would leave it.
    pub fn leave(mut self) {
        self.is_left = true;
    }
}

impl Drop for StagedDump {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a fetched dump stays until the next sweep");
        }
    }
}

enum Locked {
    Ours(File),
    Busy,
    /// Somebody removed it in between.
    Swept,
}

fn lock(path: &Path) -> io::Result<Locked> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let name = path.join(LOCK);
    let file = match File::options().create(true).truncate(false).write(true).open(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Locked::Swept),
        opened => opened?,
    };
    if file.try_lock().is_err() {
        return Ok(Locked::Busy);
    }
    // Its age is that of the last one who was at it.
    file.set_modified(std::time::SystemTime::now())?;
    let is_the_same =
        fs::metadata(&name).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
    Ok(if is_the_same { Locked::Ours(file) } else { Locked::Swept })
}

/// Removes what nobody came back for.
fn sweep(parent: &Path) {
    for found in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !found.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::options().write(true).open(found.path().join(LOCK)) else { continue };
        let age = lock.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > RESUMABLE_FOR) && lock.try_lock().is_ok() {
            tracing::info!(path = %found.path().display(), "removing a dump that nobody came back for");
            let _ = fs::remove_dir_all(found.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn what_is_left_is_taken_up_by_one_and_swept_when_it_is_old() {
        let parent = tempfile::tempdir().unwrap();
        let backup = Uuid::from_u128(5);
        let killed = StagedDump::take(parent.path(), backup).unwrap();
        killed.empty().unwrap();
        fs::write(killed.dir().join("toc.dat"), "x").unwrap();
        assert!(!killed.is_whole());
        fs::create_dir(killed.packs()).unwrap();
        killed.mark_whole().unwrap();
        assert!(!killed.packs().exists(), "of no use any more");
        let beside = StagedDump::take(parent.path(), backup).unwrap();
        assert!(beside.path != killed.path && !beside.is_whole(), "two at once do not share");
        drop(beside);
        let path = killed.path.clone();
        killed.leave();

        let taken = StagedDump::take(parent.path(), backup).unwrap();
        assert!(taken.path == path && taken.is_whole() && taken.dir().join("toc.dat").exists());
        let lock = taken.path.join(LOCK);
        let old = SystemTime::now() - RESUMABLE_FOR * 2;
        File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
        sweep(parent.path());
        assert!(path.exists(), "somebody is at it");
        taken._lock.unlock().unwrap();
        sweep(parent.path());
        assert!(!path.exists());
        taken.leave();
    }
}
