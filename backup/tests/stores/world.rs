//! Stores for a test, small packs, and bytes to put into them.

use backup::stores::*;
use bytes::Bytes;
use shared::breaker::BreakerRules;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// S3 takes no smaller parts, the last one excepted.
pub const PART: usize = 5 << 20;
pub const PACK: u64 = 2 * PART as u64;

pub struct World {
    pub stores: Stores,
    pub dir: TempDir,
}

impl World {
    /// Of these stores, read in this order, with a spool.
    pub fn of(stores: Vec<(&str, Store)>) -> Self {
        Self::with(stores, settings(), Some(1 << 30))
    }

    pub fn with(stores: Vec<(&str, Store)>, settings: Settings, spool_bytes_max: Option<u64>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let spool = spool_bytes_max.map(|bytes| (dir.path().join("spool"), bytes));
        let stores = stores.into_iter().map(|(name, store)| (self::name(name), store)).collect();
        Self { stores: Stores::of(stores, spool, settings).expect("stores"), dir }
    }

    /// Writes a backup of one stream with the manifest `manifest`.
    pub async fn back_up(
        &self,
        folder: &BackupFolder,
        bytes: &Bytes,
    ) -> Result<(Vec<Pack>, Commit), FanoutError> {
        let mut fanout = self.stores.fanout(folder.clone());
        fanout.begin("dump")?;
        // Pieces that fit neither parts nor packs.
        for piece in bytes.chunks(1_000_003) {
            fanout.write(bytes.slice_ref(piece)).await?;
        }
        let packs = fanout.end().await?;
        Ok((packs, fanout.commit(Bytes::from_static(b"manifest")).await?))
    }

    /// Copies in the spool.
    pub fn spooled_files(&self) -> usize {
        files_below(&self.dir.path().join("spool/v1"))
    }

    /// Every store has the object whole.
    pub async fn is_whole_everywhere(&self, pack: &Pack) -> bool {
        self.stores.inspect(pack).await.iter().all(|(_, health)| matches!(health, Health::Whole))
    }
}

pub fn settings() -> Settings {
    Settings {
        pack_bytes: PACK,
        part_bytes: PART,
        queue_parts: 2,
        lag_max: Duration::from_secs(30),
        tries: Tries { tries: 3, pause: Duration::from_millis(20) },
        // No test waits for a store that is left alone, but the one about that.
        breaker: BreakerRules { open_for: Duration::ZERO, ..BreakerRules::default() },
        copies_min: 1,
        temp_dir: std::env::temp_dir(),
    }
}

pub fn disk(dir: &TempDir) -> Store {
    disk_of(dir, None)
}

pub fn disk_of(dir: &TempDir, bytes_max: Option<u64>) -> Store {
    Store::Disk(Disk::open(dir.path().join("disk"), bytes_max).expect("a disk store"))
}

pub fn name(name: &str) -> StoreName {
    StoreName::parse(name).expect("a name")
}

pub fn cluster() -> Cluster {
    Cluster::parse("test").expect("a cluster")
}

pub fn folder() -> BackupFolder {
    BackupFolder { cluster: cluster(), class: BackupClass::Full, id: Uuid::now_v7() }
}

pub fn manifest_of(folder: &BackupFolder) -> Pack {
    Pack::of(folder.manifest(), b"manifest")
}

pub fn names(names: &[StoreName]) -> Vec<&str> {
    names.iter().map(StoreName::as_str).collect()
}

/// Bytes that repeat nowhere near.
pub fn noise(bytes: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..bytes.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(bytes).collect::<Vec<u8>>().into()
}

pub fn files_below(folder: &std::path::Path) -> usize {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| if file.path().is_dir() { files_below(&file.path()) } else { 1 }).sum()
}
