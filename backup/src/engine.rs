//! What every backup and restore needs: the database, the stores, the keys; and how a run is watched and stopped.

use crate::postgres::Target;
use crate::seal::KeyRing;
use crate::stores::{Cluster, Stores};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Everything that is the same for all backups of one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub stores: Stores,
    pub cluster: Cluster,
    pub keys: KeyRing,
    pub settings: Settings,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where dumps are staged, in a folder of their own that only we may enter. Needs the size of the database,
    /// uncompressed.
    pub scratch_dir: PathBuf,
    /// Processes that dump or load at once.
    pub jobs: usize,
    /// zstd's, 1 to 19.
    pub level: i32,
    /// That compress besides the one that encrypts.
    pub threads: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { scratch_dir: std::env::temp_dir(), jobs: 4, level: 3, threads: 2 }
    }
}

/// One backup or restore while it runs.
#[derive(Clone, Default)]
pub struct Run {
    /// Cancel it to end the run: nothing that counts is left half-made.
    pub stop: CancellationToken,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    phase: Mutex<&'static str>,
    bytes: AtomicU64,
}

impl Run {
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, ..Self::default() }
    }

    /// What is being done, in words for people; empty before the beginning.
    pub fn phase(&self) -> &'static str {
        *self.progress.phase.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Plain bytes that went through the sealer or the opener so far.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, phase: &'static str) {
        *self.progress.phase.lock().unwrap_or_else(|e| e.into_inner()) = phase;
        tracing::info!(phase, "backup engine");
    }

    pub(crate) fn count(&self, bytes: usize) {
        self.progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A database to back up, and what to do it with.
#[derive(Clone)]
pub struct Protected {
    pub engine: Engine,
    pub target: Target,
}
