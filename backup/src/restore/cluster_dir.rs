//! The folder that a cluster is restored into, and how far that came.

use crate::error::{Doing, Error, Result};
use crate::postgres::Account;
use crate::stores::remove_packs;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// In the folder until the restore is done.
const MARK: &str = "counterfoil-restore.json";
/// In the folder until all files are there.
const PACKS: &str = "counterfoil-packs";
/// A server that was left behind writes a checkpoint as it ends.
const SERVER_WAIT: Duration = Duration::from_secs(120);

/// An unfinished restore, as its folder tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfinished {
    pub backup: Uuid,
    /// In words.
    pub until: String,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Files may be missing or half: they are made anew, of the objects that were fetched and of those that were not.
    Fetching,
    /// All files and the settings of recovery are there: PostgreSQL goes on where it ended.
    Recovering,
}

/// What an earlier restore has left in `dir`; `None` when there is nothing of the kind.
pub fn unfinished(dir: &Path) -> Option<Unfinished> {
    serde_json::from_slice(&fs::read(dir.join(MARK)).ok()?).ok()
}

/// Removed with the value unless it is kept; left by a process that was killed.
pub(super) struct ClusterDir {
    pub path: PathBuf,
    account: Option<Account>,
    mark: Unfinished,
    is_kept: bool,
    /// On the folder itself, while somebody is at it.
    _lock: File,
}

impl ClusterDir {
    /// Makes the folder, or takes up the unfinished restore in it when it is the same one; says how far it came.
    /// Anything else that is there is left alone. A server that the other one has left running is ended.
    pub async fn begin(path: &Path, backup: Uuid, until: &str, account: Option<Account>) -> Result<Self> {
        let doing = || format!("making {}", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).doing(doing())?;
        let lock = File::open(path).doing(doing())?;
        if lock.try_lock().is_err() {
            return Err(Error::Refused(format!(
                "another process is restoring into {}: wait for it, or give another folder",
                path.display()
            )));
        }
        let wanted = Unfinished { backup, until: until.to_owned(), stage: Stage::Fetching };
        let is_empty = fs::read_dir(path).doing(doing())?.next().is_none();
        let mark = match unfinished(path) {
            _ if is_empty => wanted,
            None => {
                return Err(Error::Refused(format!("{} is not empty: give a new folder", path.display())));
            }
            Some(left) if (left.backup, &left.until) == (backup, &wanted.until) => left,
            Some(left) => {
                return Err(Error::Refused(format!(
                    "{} holds an unfinished restore {} from base backup {}: run that one again to finish it, or \
                     remove the folder",
                    path.display(),
                    left.until,
                    left.backup
                )));
            }
        };
        end_server(path).await?;
        let made = Self { path: path.to_owned(), account, mark, is_kept: false, _lock: lock };
        match made.stage() {
            Stage::Fetching => {
                made.empty()?;
                made.write()?;
            }
            Stage::Recovering => made.remove_packs()?,
        }
        Ok(made)
    }

    pub fn stage(&self) -> Stage {
        self.mark.stage
    }

    /// For objects as they come from the stores.
    pub fn packs(&self) -> PathBuf {
        self.path.join(PACKS)
    }

    /// From here on the files are PostgreSQL's.
    pub fn fetched(&mut self) -> Result<()> {
        self.mark.stage = Stage::Recovering;
        self.write()?;
        self.remove_packs()
    }

    fn remove_packs(&self) -> Result<()> {
        remove_packs(&self.packs()).doing("removing what the cluster was made of")
    }

    /// Half, for the same restore another time.
    pub fn leave(mut self) {
        self.is_kept = true;
    }

    /// The cluster is done, and stays.
    pub fn keep(mut self) -> Result<()> {
        self.is_kept = true;
        fs::remove_file(self.path.join(MARK)).doing("noting that the restore is done")
    }

    /// Under a name of its own first: it is there as it was, or as it is now.
    fn write(&self) -> Result<()> {
        let doing = "noting how far the restore came";
        let text = serde_json::to_vec(&self.mark).map_err(io::Error::from).doing(doing)?;
        let part = self.path.join(format!("{MARK}.part"));
        fs::write(&part, text).doing(doing)?;
        if let Some(Account { uid, gid }) = self.account {
            // PostgreSQL looks at every file of its folder.
            chown(&part, Some(uid), Some(gid)).doing(doing)?;
        }
        fs::rename(part, self.path.join(MARK)).doing(doing)
    }

    fn empty(&self) -> Result<()> {
        let doing = || format!("emptying {}", self.path.display());
        for found in fs::read_dir(&self.path).doing(doing())? {
            let found = found.doing(doing())?;
            if found.file_name() == MARK || found.file_name() == PACKS {
                continue;
            }
            let is_dir = found.file_type().doing(doing())?.is_dir();
            let gone = if is_dir { fs::remove_dir_all(found.path()) } else { fs::remove_file(found.path()) };
            gone.doing(doing())?;
        }
        Ok(())
    }
}

impl Drop for ClusterDir {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, dir = %self.path.display(), "a half-made cluster stays");
        }
    }
}

/// Ends the server that works in `dir`, by its own lock file; a number that another process has by now is left alone.
async fn end_server(dir: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(dir.join("postmaster.pid")) else { return Ok(()) };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<libc::pid_t>().ok()) else {
        return Ok(());
    };
    // A server works in its folder.
    let is_it = || {
        let place = fs::read_link(format!("/proc/{pid}/cwd"));
        place.is_ok_and(|place| fs::canonicalize(dir).is_ok_and(|dir| dir == place))
    };
    if pid <= 1 || !is_it() {
        return Ok(());
    }
    tracing::info!(pid, dir = %dir.display(), "ending a server that a killed restore has left");
    // SAFETY: plain system call; the process was just seen to work in that folder.
    unsafe { libc::kill(pid, libc::SIGINT) };
    let began = Instant::now();
    while is_it() {
        if began.elapsed() > SERVER_WAIT {
            return Err(Error::Refused(format!(
                "a PostgreSQL server (process {pid}) works in {} and does not end: end it, then run this again",
                dir.display()
            )));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn begin(path: &Path, backup: u128, until: &str) -> std::result::Result<ClusterDir, String> {
        ClusterDir::begin(path, Uuid::from_u128(backup), until, None).await.map_err(|error| error.to_string())
    }

    /// As a signal would leave it.
    fn killed(dir: ClusterDir) {
        dir._lock.unlock().unwrap();
        std::mem::forget(dir);
    }

    #[tokio::test]
    async fn only_the_same_restore_is_taken_up_and_only_what_is_ours_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("cluster");
        let first = begin(&path, 1, "to the end").await.unwrap();
        assert!(begin(&path, 1, "to the end").await.err().unwrap().contains("another process"));
        fs::write(path.join("half"), "a file").unwrap();
        fs::create_dir(first.packs()).unwrap();
        killed(first);

        assert!(begin(&path, 1, "to 0/5").await.err().unwrap().contains("unfinished restore to the end"));
        assert!(begin(&path, 2, "to the end").await.err().unwrap().contains("unfinished"));
        assert!(path.join("half").exists(), "another restore's files stay");
        let mut second = begin(&path, 1, "to the end").await.unwrap();
        assert!(second.stage() == Stage::Fetching && !path.join("half").exists(), "half is made anew");
        assert!(second.packs().exists(), "what was fetched is not");
        fs::write(path.join("PG_VERSION"), "15").unwrap();
        second.fetched().unwrap();
        assert!(!second.packs().exists(), "it is no part of a cluster");
        fs::create_dir(second.packs()).unwrap();
        killed(second);

        let third = begin(&path, 1, "to the end").await.unwrap();
        assert!(third.stage() == Stage::Recovering && path.join("PG_VERSION").exists());
        assert!(!third.packs().exists(), "killed before it was removed");
        third.keep().unwrap();
        assert_eq!(unfinished(&path), None);
        assert!(begin(&path, 1, "to the end").await.err().unwrap().contains("not empty"));
        assert!(path.join("PG_VERSION").exists());
        let other = parent.path().join("other");
        drop(begin(&other, 1, "to the end").await.unwrap());
        assert!(!other.exists(), "one that fails leaves nothing");
    }
}
