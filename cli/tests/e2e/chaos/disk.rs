//! A small disk of its own for the database's tables, to be filled up.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The tables of a run without jobs, and room to breathe.
const BYTES_MIN: u64 = 96 << 20;
/// What a job of the run leaves in tables and indexes, generously.
const BYTES_PER_JOB: u64 = 40 << 10;
/// It is in memory.
const BYTES_MAX: u64 = 4 << 30;

/// How long it stays full at most until somebody has met it.
const MET_WITHIN: Duration = Duration::from_secs(5);

/// Mounted; gone when dropped.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// For the account that owns `beside`. `None`, and a line that says so, where one may not mount.
    pub fn mount(at: PathBuf, beside: &Path, jobs: usize) -> Option<Self> {
        let bytes = BYTES_MIN + BYTES_PER_JOB * jobs as u64;
        if bytes > BYTES_MAX {
            println!(
                "skipped: the disk does not fill up, since {jobs} jobs need more than there may be of it"
            );
            return None;
        }
        fs::create_dir_all(&at).expect("a folder for the disk");
        let owner = fs::metadata(beside).expect("the database's folder");
        let options = format!("size={bytes},mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { at }),
            other => {
                let says = other.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
                println!("skipped: the disk does not fill up, a small one could not be mounted: {says:?}");
                None
            }
        }
    }

    pub fn path(&self) -> &str {
        self.at.to_str().expect("a UTF-8 path")
    }

    /// Takes all that is left, for about `moment` and until the server has said in its log that nothing is.
    pub fn fill(&self, log: &Path, moment: Duration) {
        let complaints =
            || fs::read_to_string(log).expect("the log").matches("No space left on device").count();
        let before = complaints();
        let filler = self.at.join("filler");
        let mut file = fs::File::create(&filler).expect("a file");
        let chunk = vec![0; 64 << 10];
        while file.write_all(&chunk).is_ok() {}
        // What is left is less than a chunk; a table grows by eight kilobytes.
        for byte in [4096, 512, 1] {
            while file.write_all(&chunk[..byte]).is_ok() {}
        }
        let full_at = Instant::now();
        while full_at.elapsed() < moment || (complaints() == before && full_at.elapsed() < MET_WITHIN) {
            std::thread::sleep(Duration::from_millis(50));
        }
        fs::remove_file(&filler).expect("making room");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that was killed a moment ago may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
