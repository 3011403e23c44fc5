//! Stores as the configuration describes them.

use super::disk::Disk;
use super::error::StoreError;
use super::kept::Tries;
use super::s3::{Locking, S3};
use super::spool::SPOOL;
use super::store::{PART_BYTES, Store, StoreName};
use super::{BucketSettings, LockMode, Stores};
use shared::breaker::BreakerRules;
use shared::config::{self, BackupLockMode, BackupStore, SecretError};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest pack; a multiple of `part_bytes`, because R2 wants equal parts.
    pub pack_bytes: u64,
    /// What is sent at once. [`PART_BYTES`] except in tests: S3 takes no parts below 5 MiB.
    pub part_bytes: usize,
    /// Parts that wait for a store while it takes another, at least 1.
    pub queue_parts: usize,
    /// A store that takes no part for so long, while another has room, is left behind.
    pub lag_max: Duration,
    pub tries: Tries,
    /// When a store behind S3 is left alone.
    pub breaker: BreakerRules,
    /// How many stores must hold a backup for it to count.
    pub copies_min: usize,
    /// For objects that are being read: up to two packs.
    pub temp_dir: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    #[error("no backup store is configured (backup.stores)")]
    None,
    #[error("{0:?} is not a usable name for a store, or there twice")]
    Name(String),
    #[error("the sizes do not fit: {0}")]
    Settings(&'static str),
    #[error("the credentials of the backup store {store}")]
    Credentials {
        store: String,
        #[source]
        source: SecretError,
    },
    #[error("opening the backup store {store}")]
    Open {
        store: String,
        #[source]
        source: StoreError,
    },
    #[error("opening the spool")]
    Spool(#[source] StoreError),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pack_bytes: 256 << 20,
            part_bytes: PART_BYTES,
            queue_parts: 4,
            lag_max: Duration::from_secs(60),
            tries: Tries::default(),
            breaker: BreakerRules::default(),
            copies_min: 1,
            temp_dir: std::env::temp_dir(),
        }
    }
}

impl Stores {
    /// Makes the folders that are missing, and asks no endpoint anything. `data_dir`: where the spool is when
    /// `backup.spool_dir` does not say so; `None` and neither of them: no spool.
    pub fn open(config: &config::Backup, data_dir: Option<&Path>) -> Result<Self, StoresError> {
        let stores = config.stores.iter().map(open).collect::<Result<_, _>>()?;
        let spool = config.spool_dir.clone().or_else(|| Some(data_dir?.join("backup-spool")));
        let settings = Settings {
            pack_bytes: config.pack_mib << 20,
            lag_max: Duration::from_secs(config.lag_s),
            copies_min: config.copies_min,
            ..Settings::default()
        };
        Self::of(stores, spool.map(|dir| (dir, config.spool_bytes_max)), settings)
    }
}

fn open(store: &BackupStore) -> Result<(StoreName, Store), StoresError> {
    let name = StoreName::parse(store.name()).ok_or_else(|| StoresError::Name(store.name().into()))?;
    let store = match store {
        BackupStore::Disk(disk) => {
            let opened = Disk::open(disk.dir.clone(), disk.bytes_max);
            Store::Disk(opened.map_err(|source| StoresError::Open { store: disk.name.clone(), source })?)
        }
        BackupStore::S3(s3) => {
            let credentials = s3.credentials();
            let (key_id, secret) =
                credentials.map_err(|source| StoresError::Credentials { store: s3.name.clone(), source })?;
            let settings = BucketSettings {
                endpoint: s3.endpoint.clone(),
                region: s3.region.clone(),
                bucket: s3.bucket.clone(),
                prefix: s3.prefix.clone(),
                path_style: s3.path_style,
                key_id,
                secret,
                connect_timeout: Duration::from_secs(s3.connect_timeout_s),
                request_timeout: Duration::from_secs(s3.request_timeout_s),
                content_md5: s3.content_md5,
            };
            let mode = match s3.lock_mode {
                BackupLockMode::Governance => LockMode::Governance,
                BackupLockMode::Compliance => LockMode::Compliance,
            };
            Store::S3(S3::new(settings, s3.lock_days.map(|days| Locking { mode, days })))
        }
    };
    Ok((name, store))
}

pub(super) fn check(stores: &[(StoreName, Store)], settings: &Settings) -> Result<(), StoresError> {
    if stores.is_empty() {
        return Err(StoresError::None);
    }
    let mut names = HashSet::new();
    if let Some((name, _)) = stores.iter().find(|(name, _)| name.as_str() == SPOOL || !names.insert(name)) {
        return Err(StoresError::Name(name.to_string()));
    }
    let Settings { pack_bytes, part_bytes, queue_parts, copies_min, tries, .. } = settings;
    if *part_bytes == 0 || *pack_bytes == 0 || !pack_bytes.is_multiple_of(*part_bytes as u64) {
        return Err(StoresError::Settings("a pack is a number of whole parts"));
    }
    if *queue_parts == 0 || tries.tries == 0 {
        return Err(StoresError::Settings("a queue has room, and a request is tried at least once"));
    }
    if !(1..=stores.len()).contains(copies_min) {
        return Err(StoresError::Settings("copies_min is 1 to the number of stores"));
    }
    Ok(())
}
