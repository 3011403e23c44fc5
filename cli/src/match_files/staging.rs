//! Results that appear complete or not at all.

use super::failure::{Doing, Failure};
use super::progress::Interrupt;
use super::{carry, results, summary};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

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
}

impl Staging {
    pub fn begin(out: &Path) -> Result<Self, Failure> {
        let whole = !out.exists();
        let home = if whole { out.parent().unwrap_or(Path::new("")) } else { out };
        let home = if home.as_os_str().is_empty() { Path::new(".") } else { home };
        fs::create_dir_all(home).doing(format_args!("making {}", home.display()))?;
        let folder = home.join(format!(".counterfoil-{}", std::process::id()));
        fs::create_dir(&folder).doing(format_args!("making {}", folder.display()))?;
        Ok(Staging { folder, out: out.to_owned(), whole })
    }

    pub fn create(&self, name: &str) -> Result<File, Failure> {
        let path = self.folder.join(name);
        File::create_new(&path).doing(format_args!("making {}", path.display()))
    }

    /// The last moment to interrupt is before the first file gets its name.
    pub fn publish(self, interrupt: &Interrupt) -> Result<(), Failure> {
        let naming = format!("naming the results in {}", self.out.display());
        for name in FILES {
            File::open(self.folder.join(name)).and_then(|file| file.sync_all()).doing(&naming)?;
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
