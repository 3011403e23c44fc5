//! How much memory one reconciliation may take, and what is done about it.

use crate::text_file::{TextBudget, TextFile};
use matching::{TextStore, WorkingSet};
use std::io;
use std::path::PathBuf;

/// What a record costs besides its texts, at the most of a run: its numbers, its part of a match or an exception, and
/// what passes keep of those that are left. Measured by `bench/matching/memory.py`, rounded up.
const RECORD_BYTES: u64 = 150;
/// Program, threads and what they have in hand.
const BASE_BYTES: u64 = 48 << 20;
/// Keys joined in smaller parts would only cost time.
const KEYS_BYTES_MIN: u64 = 32 << 20;
/// Parts of the limit: one for texts and one for the keys of a pass. The others are what records cost.
const PARTS: u64 = 8;
/// Blocks of this size go back to the system when they are given back. Left alone, the allocator comes to keep
/// blocks of up to 32 MiB for later: half as much again as is in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const RETURNED_BYTES: libc::c_int = 1 << 20;

/// So many records of both sides cannot keep to the limit, whatever is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{records} records take about {least_mib}MiB at least")]
pub struct LimitTooSmall {
    /// Of both sides.
    pub records: usize,
    /// The least limit that will do, in MiB, rounded up.
    pub least_mib: u64,
}

/// A limit of one reconciliation, divided among what takes memory: its outcome is the same with any limit, and without
/// one.
///
/// Holds for records that keys, amounts and dates decide first. A learned pass that meets all records keeps, beyond the
/// limit, the different words of all texts and four bytes for each word of each text.
#[derive(Debug, Clone)]
pub struct MemoryLimit {
    bytes: Option<u64>,
    folder: PathBuf,
    texts: TextBudget,
}

impl MemoryLimit {
    /// Bytes; `None`: as much as it takes. `folder`: for temporary files, on a disk with room for the texts of both sides;
    /// the system's one without it.
    ///
    /// With a limit and glibc, large blocks of memory go back to the system from now on, for the whole process.
    pub fn new(bytes: Option<u64>, folder: Option<PathBuf>) -> Self {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        if bytes.is_some() {
            // SAFETY: sets a number of the allocator. Were it refused, more would be kept than could be.
            unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, RETURNED_BYTES) };
        }
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        MemoryLimit { bytes, folder, texts: TextBudget::new(bytes.unwrap_or_default() / PARTS) }
    }

    /// Where texts go that are too many; `None` where all stay in memory. All stores of a limit share what it has for
    /// texts. An error says which folder could not be written to.
    pub fn text_store(&self) -> io::Result<Option<Box<dyn TextStore>>> {
        if self.bytes.is_none() {
            return Ok(None);
        }
        let file = TextFile::new(&self.folder, self.texts.clone()).map_err(|error| {
            let says = format!("making a temporary file in {}: {error}", self.folder.display());
            io::Error::new(error.kind(), says)
        })?;
        Ok(Some(Box::new(file)))
    }

    /// For so many records of both sides.
    pub fn working_set(&self, records: usize) -> Result<WorkingSet, LimitTooSmall> {
        let Some(bytes) = self.bytes else { return Ok(WorkingSet::default()) };
        let least = BASE_BYTES + KEYS_BYTES_MIN + records as u64 * RECORD_BYTES;
        let least = least + least / (PARTS - 1);
        if bytes < least {
            return Err(LimitTooSmall { records, least_mib: least.div_ceil(1 << 20) });
        }
        Ok(WorkingSet { keys_bytes_max: (bytes / PARTS).max(KEYS_BYTES_MIN) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_is_named_will_do() {
        for records in [0, 1, 300_000, 21_000_000] {
            let within = |mib: u64| MemoryLimit::new(Some(mib << 20), None).working_set(records);
            let least = within(1).expect_err("a MiB is too little").least_mib;
            assert!(within(least).expect("what it asked for").keys_bytes_max >= KEYS_BYTES_MIN);
            assert!(within(least - 1).is_err(), "{records}");
        }
        assert_eq!(MemoryLimit::new(None, None).working_set(usize::MAX), Ok(WorkingSet::default()));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let limit = MemoryLimit::new(Some(1 << 30), Some("not/there".into()));
        let says = limit.text_store().map(|_| ()).expect_err("no folder").to_string();
        assert!(says.starts_with("making a temporary file in not/there: "), "{says}");
    }
}
