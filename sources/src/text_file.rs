//! Texts beyond a bound go to a temporary file that is mapped into memory, so that the system pages them.

use matching::{KeptBytes, TextStore};
use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of text that may stay in memory, shared by all that read at the same time.
#[derive(Debug, Clone)]
pub struct TextBudget(Arc<AtomicU64>);

impl TextBudget {
    pub fn new(bytes: u64) -> Self {
        TextBudget(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes so many bytes when that many are left.
    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Lets texts stay in memory as far as a budget goes and keeps the rest in a file without a name: nothing is
/// left behind, however the process ends.
pub struct TextFile {
    budget: TextBudget,
    file: File,
    bytes: u64,
}

impl TextFile {
    /// In `folder`, which should be on a disk and not in memory.
    pub fn new(folder: &Path, budget: TextBudget) -> io::Result<Self> {
        Ok(TextFile { budget, file: tempfile::tempfile_in(folder)?, bytes: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<KeptBytes> {
        self.file.write_all(bytes)?;
        let map = MmapOptions::new().offset(self.bytes).len(bytes.len()).clone();
        self.bytes += bytes.len() as u64;
        // SAFETY: the file has no name, this process holds its only handle, and what was written is never
        // written again nor cut off, so the mapped bytes stay as they are.
        let map: Mmap = unsafe { map.map(&self.file) }?;
        Ok(Arc::new(map))
    }
}

impl TextStore for TextFile {
    fn keep(&mut self, bytes: &[u8]) -> Result<Option<KeptBytes>, String> {
        if bytes.is_empty() || self.budget.take(bytes.len() as u64) {
            return Ok(None);
        }
        self.append(bytes).map(Some).map_err(|error| format!("writing them to a temporary file: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_budget_does_not_allow_is_in_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let budget = TextBudget::new(100);
        let mut file = TextFile::new(folder.path(), budget.clone()).expect("a file");
        let mut other = TextFile::new(folder.path(), budget).expect("a file");
        assert!(file.keep(&[7; 60]).expect("room").is_none());
        let kept = other.keep(&[8; 60]).expect("a disk").expect("not in memory");
        assert!(other.keep(&[9; 40]).expect("room").is_none());
        let more: Vec<KeptBytes> =
            (0..50u8).map(|i| file.keep(&[i; 5_000]).expect("a disk").expect("not in memory")).collect();
        drop((file, other));
        assert_eq!((*kept).as_ref(), [8; 60]);
        assert!(more.iter().zip(0u8..).all(|(kept, i)| (**kept).as_ref() == [i; 5_000]));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "it has no name");
    }
}
