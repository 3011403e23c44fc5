//! What every backup and restore needs: the database, the stores, the keys; and how a run is watched and stopped.

use crate::error::{Error, Result};
use crate::postgres::Target;
use crate::seal::KeyRing;
use crate::stores::{Cluster, Stores};
use secrecy::ExposeSecret;
use shared::config;
use shared::telemetry::trace::{self, SpanRecord, TraceContext};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
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

impl Engine {
    /// As the configuration describes it; asks nobody anything yet. See [`Stores::open`] for `data_dir`.
    pub fn open(config: &config::Backup, data_dir: Option<&Path>) -> Result<Self> {
        let stores = Stores::open(config, data_dir).map_err(|error| Error::Refused(shared::chain(&error)))?;
        let cluster = Cluster::parse(&config.cluster).map_err(|error| Error::Refused(error.to_string()))?;
        Ok(Self { stores, cluster, keys: key_ring(config)?, settings: Settings::of(config) })
    }
}

/// The keys as they are now: whoever reads them anew sees a rotation.
pub fn key_ring(config: &config::Backup) -> Result<KeyRing> {
    let text = config.keys().map_err(|error| {
        Error::Refused(format!("the encryption keys of backups: {}", shared::chain(&error)))
    })?;
    let words = text.expose_secret().split(|c: char| c == ',' || c.is_whitespace());
    Ok(KeyRing::parse(words.filter(|word| !word.is_empty()))?)
}

impl Settings {
    pub fn of(config: &config::Backup) -> Self {
        let default = Self::default();
        Self {
            scratch_dir: config.scratch_dir.clone().unwrap_or(default.scratch_dir.clone()),
            jobs: config.jobs,
            ..default
        }
    }
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
    phase: Mutex<Phase>,
    bytes: AtomicU64,
    /// The span it began in.
    trace: Option<TraceContext>,
}

/// What is being done, and since when.
#[derive(Default)]
struct Phase {
    name: &'static str,
    since: Option<Instant>,
}

impl Progress {
    /// The phase before becomes a span.
    fn enter(&self, name: &'static str) {
        let next = Phase { name, since: Some(Instant::now()) };
        let before = std::mem::replace(&mut *self.phase.lock().unwrap_or_else(|e| e.into_inner()), next);
        if let (Some(trace), Some(since)) = (self.trace, before.since) {
            SpanRecord::below(trace, before.name, since.elapsed()).send();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.enter("");
    }
}

impl Run {
    pub fn new(stop: CancellationToken) -> Self {
        let progress =
            Progress { phase: Mutex::default(), bytes: AtomicU64::new(0), trace: trace::current() };
        Self { stop, progress: Arc::new(progress) }
    }

    /// What is being done, in words for people; empty before the beginning.
    pub fn phase(&self) -> &'static str {
        self.progress.phase.lock().unwrap_or_else(|e| e.into_inner()).name
    }

    /// Plain bytes that went through the sealer or the opener so far.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, phase: &'static str) {
        self.progress.enter(phase);
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
