//! Folders for a while: removed when they are not needed, also when their maker was killed.

use crate::error::{Doing, Result};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const DIR_PREFIX: &str = "counterfoil-scratch-";
/// `/counterfoil-scratch-<32 digits>/run/.s.PGSQL.5432.lock`
const SOCKET_BYTES: usize = 76;

/// A folder that only we may enter, removed with the value. Its lock file is locked while its maker lives.
pub struct ScratchDir {
    path: PathBuf,
    _lock: File,
}

impl ScratchDir {
    /// Removes what killed processes have left in `parent`, then makes a new one.
    pub fn create(parent: &Path) -> Result<Self> {
        sweep_dirs(parent);
        let path = parent.join(format!("{DIR_PREFIX}{}", Uuid::new_v4().simple()));
        let doing = || format!("making {}", path.display());
        fs::DirBuilder::new().mode(0o700).create(&path).doing(doing())?;
        let lock = File::create_new(path.join("lock")).doing(doing())?;
        lock.try_lock().map_err(std::io::Error::from).doing(doing())?;
        Ok(Self { path, _lock: lock })
    }

    /// In `parent`, or in a temporary folder whose name is short enough for a socket below it: 107 bytes in all.
    pub fn create_short(parent: &Path) -> Result<Self> {
        let temp = std::env::temp_dir();
        let fits = |dir: &&Path| dir.as_os_str().len() <= 107 - SOCKET_BYTES;
        Self::create([parent, &temp].into_iter().find(fits).unwrap_or(Path::new("/tmp")))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a scratch folder stays");
        }
    }
}

fn sweep_dirs(parent: &Path) {
    for found in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !found.file_name().to_string_lossy().starts_with(DIR_PREFIX) {
            continue;
        }
        // One without its lock file is just being made.
        let Ok(lock) = File::open(found.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            tracing::info!(path = %found.path().display(), "removing what a killed process has left");
            let _ = fs::remove_dir_all(found.path());
        }
    }
}
