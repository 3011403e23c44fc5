//! Results that appear complete or not at all.

use super::failure::{Doing, Failure};
use super::progress::Interrupt;
use super::{carry, results, summary};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// In the order in which they get their names: the summary last, as the sign that all are there.
const FILES: [&str; 6] = [
    results::MATCHES,
    results::EXCEPTIONS,
    results::REJECTED_LINES,
    carry::OPEN_ITEMS,
    carry::MATCHED_BEFORE,
    summary::FILE,
];

/// Before any work: a result of an earlier run is not replaced unasked.
pub fn refuse_existing(out: &Path, force: bool) -> Result<(), Failure> {
    if out.exists() && !out.is_dir() {
        return Err(Failure::input([format!("{}: is no folder", out.display())]));
    }
    let existing = FILES.iter().map(|name| out.join(name)).filter(|path| !force && path.exists());
    let says: Vec<_> =
        existing.map(|path| format!("{} is already there; use --force", path.display())).collect();
    if says.is_empty() { Ok(()) } else { Err(Failure::Input(says)) }
}

/// A hidden folder next to (or in) the final one, on the same file system, gone when dropped.
pub struct Staging {
    folder: PathBuf,
    out: PathBuf,
    /// The final folder is not there yet: it will be this one, renamed.
    whole: bool,
    /// Files on their way to the disk.
    sealing: Vec<JoinHandle<io::Result<()>>>,
}

impl Staging {
    pub fn begin(out: &Path) -> Result<Self, Failure> {
        let whole = !out.exists();
        let home = if whole { out.parent().unwrap_or(Path::new("")) } else { out };
        let home = if home.as_os_str().is_empty() { Path::new(".") } else { home };
        fs::create_dir_all(home).doing(format_args!("making {}", home.display()))?;
        let folder = home.join(format!(".counterfoil-{}", std::process::id()));
        fs::create_dir(&folder).doing(format_args!("making {}", folder.display()))?;
        Ok(Staging { folder, out: out.to_owned(), whole, sealing: vec![] })
    }

    pub fn create(&self, name: &str) -> Result<File, Failure> {
        let path = self.folder.join(name);
        File::create_new(&path).doing(format_args!("making {}", path.display()))
    }

    /// To be called for each file when it is complete: the disk takes it while the next ones are made.
    pub fn seal(&mut self, file: File) -> Result<(), Failure> {
        let sealing = std::thread::Builder::new().spawn(move || file.sync_all());
        self.sealing.push(sealing.doing("writing the results to the disk")?);
        Ok(())
    }

    /// The last moment to interrupt is before the first file gets its name.
    pub fn publish(mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        let naming = format!("naming the results in {}", self.out.display());
        debug_assert_eq!(self.sealing.len(), FILES.len());
        for sealing in self.sealing.drain(..) {
            let sealed = sealing.join().unwrap_or_else(|_| Err(io::Error::other("writing panicked")));
            sealed.doing(&naming)?;
        }
        interrupt.check()?;
        if self.whole {
            return fs::rename(&self.folder, &self.out).doing(&naming);
        }
        for name in FILES {
            fs::rename(self.folder.join(name), self.out.join(name)).doing(&naming)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Already renamed when all went well; else there is nobody left to tell.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
