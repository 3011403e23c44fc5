//! How much memory a run may take, and what it does about it.

use super::failure::{Doing, Failure};
use matching::{TextStore, WorkingSet};
use sources::{TextBudget, TextFile};
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

/// The limit divided among what takes memory.
pub struct MemoryLimit {
    bytes: Option<u64>,
    folder: PathBuf,
    texts: TextBudget,
}

impl MemoryLimit {
    pub fn new(bytes: Option<u64>, folder: Option<PathBuf>) -> Self {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        if bytes.is_some() {
            // SAFETY: sets a number of the allocator. Were it refused, more would be kept than could be.
            unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, RETURNED_BYTES) };
        }
        let folder = folder.unwrap_or_else(std::env::temp_dir);
        MemoryLimit { bytes, folder, texts: TextBudget::new(bytes.unwrap_or_default() / PARTS) }
    }

    /// `None`: texts stay in memory.
    pub fn text_store(&self) -> Result<Option<Box<dyn TextStore>>, Failure> {
        if self.bytes.is_none() {
            return Ok(None);
        }
        let file = TextFile::new(&self.folder, self.texts.clone());
        let file = file.doing(format_args!("making a temporary file in {}", self.folder.display()))?;
        Ok(Some(Box::new(file)))
    }

    /// Refuses a limit that so many records of both sides cannot keep to.
    pub fn working_set(&self, records: usize) -> Result<WorkingSet, Failure> {
        let Some(bytes) = self.bytes else { return Ok(WorkingSet::default()) };
        let least = BASE_BYTES + KEYS_BYTES_MIN + records as u64 * RECORD_BYTES;
        let least = least + least / (PARTS - 1);
        if bytes < least {
            let least_mib = least.div_ceil(1 << 20);
            let says = format!("--memory-limit: {records} records take about {least_mib}MiB at least");
            return Err(Failure::input([says]));
        }
        Ok(WorkingSet { keys_bytes_max: (bytes / PARTS).max(KEYS_BYTES_MIN) })
    }
}

/// `800MiB`, `3GiB`, `2000000KiB`, or bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("{other:?} is no unit; write KiB, MiB or GiB")),
    };
    let number: u64 = digits.parse().map_err(|_| "is no size; write one like 800MiB".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("0", 0), ("17B", 17), ("2KiB", 2048), ("800MiB", 800 << 20), ("3GiB", 3 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1GiB", "1.5GiB", "3 GiB", "3GB", "99999999999999GiB", "\u{0663}GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
