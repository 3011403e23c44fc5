//! Where backups live: several stores at once, none of them trusted alone.
//!
//! Words: a *store* keeps objects under typed names ([`ObjectName`]), on a disk or behind an S3 endpoint. An object is
//! written once. A *stream* of sealed bytes is cut into *packs*; the [`Fanout`] writes each pack to all stores at once,
//! and the *manifest* last. What a store could not take, or lost, is *owed* to it: written down in the *spool*, paid by
//! the synchroniser when the store is back.
//!
//! Promises: a manifest is in a store only after all its packs are, read back; memory does not grow with the number or
//! the slowness of stores; nothing that is read is given out before its digest is found right, and what is damaged or
//! missing in one store comes from the next, in the configured order.
//!
//! How they are used:
//!
//! ```ignore
//! let stores = Stores::open(&config.backup, &data_dir)?;       // or Stores::of(vec![(name, store)], spool, settings)
//!
//! // Writing. `Fanout::write` waits when the stores are slow: that is the back-pressure.
//! let mut fanout = stores.fanout(folder);                      // folder: BackupFolder {cluster, class, id}
//! fanout.begin("dump")?;                                       // name of a stream
//! fanout.write(bytes).await?;                                  // Bytes of any size
//! let packs: Vec<Pack> = fanout.end().await?;                  // {object, size_bytes, sha256}: for the manifest
//! let commit: Commit = fanout.commit(manifest_bytes).await?;   // {held_by, owed_to, counts}
//! // or `fanout.abandon().await`; from a blocking thread `StreamWriter::new(fanout, handle)` is a `std::io::Write`.
//!
//! // Reading.
//! let manifest = stores.get_checked(&name, bytes_max, |bytes| open_manifest(bytes)).await?;   // next store if Err
//! let file: std::fs::File = stores.fetch(&pack).await?;        // whole, digest right, a temporary file without name
//! let reader = stores.read_packs(packs, 1, None, handle);      // std::io::Read over all of them, one ahead
//! let listing: Listing = stores.list(&cluster.class_prefix(BackupClass::Full)).await;   // who has what
//!
//! // Small objects (WAL segments, wrapped keys, verifications), to all stores, create-only.
//! let put: Put = stores.put(&name, bytes).await?;
//!
//! // Proof and care.
//! let health: Vec<(StoreName, Health)> = stores.inspect(&pack).await;   // Whole, Missing, Damaged, Unknown
//! stores.heal(&pack).await;  stores.delete_backup(&folder).await;  stores.sweep(&cluster, age, now).await;
//! let status: Vec<StoreStatus> = stores.status().await?;
//! stores.synchronise_until(stop, period).await;                // the background loop
//! ```

mod care;
mod commit;
mod copying;
mod disk;
mod disk_upload;
mod error;
mod everywhere;
mod fanout;
mod kept;
mod lane;
mod names;
mod opening;
mod pack;
mod pack_folder;
mod pack_reader;
mod reading;
mod room;
mod s3;
mod spool;
mod status;
mod store;
mod synchroniser;
mod writer;

pub use care::{Healing, Health, Swept};
pub use commit::Commit;
pub use disk::Disk;
pub use error::StoreError;
pub use everywhere::{Deletion, Found, Listing, Put, PutError};
pub use fanout::{Fanout, FanoutError};
pub use kept::{Contact, Tries};
pub use names::{BackupClass, BackupFolder, Cluster, NameError, ObjectName};
pub use objects_s3::{BucketSettings, LockMode};
pub use opening::{Settings, StoresError};
pub use pack::{Pack, Sha256Hex};
pub use pack_folder::PackFolder;
pub(crate) use pack_folder::remove as remove_packs;
pub use pack_reader::PackReader;
pub use reading::ReadError;
pub use s3::{Locking, S3};
pub use spool::{Owed, Reason};
pub use status::{Holdings, StoreStatus};
pub use store::{
    ByteStream, Creation, Head, ListPage, PART_BYTES, Store, StoreKind, StoreName, StoredObject, Upload,
};
pub use synchroniser::Synchronised;
pub use writer::StreamWriter;

use kept::Kept;
use spool::Spool;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// All stores of an installation, in the order in which they are read. Cheap to clone.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

struct Inner {
    kept: Vec<Arc<Kept>>,
    spool: Option<Spool>,
    settings: Settings,
    owed: Notify,
}

impl Stores {
    /// `spool`: its folder and the most bytes of copies in it. Without one nothing is written down: what a store
    /// misses is reported by whoever notices, and brought by [`Self::heal`] alone.
    pub fn of(
        stores: Vec<(StoreName, Store)>,
        spool: Option<(PathBuf, u64)>,
        settings: Settings,
    ) -> Result<Self, StoresError> {
        opening::check(&stores, &settings)?;
        let kept = stores
            .into_iter()
            .map(|(name, store)| Arc::new(Kept::new(name, store, settings.breaker)))
            .collect();
        let spool = spool.map(|(dir, bytes_max)| Spool::open(&dir, bytes_max)).transpose();
        let spool = spool.map_err(StoresError::Spool)?;
        Ok(Self(Arc::new(Inner { kept, spool, settings, owed: Notify::new() })))
    }

    /// Begins to write a backup.
    pub fn fanout(&self, folder: BackupFolder) -> Fanout {
        Fanout::start(self.clone(), folder)
    }

    /// In the configured order.
    pub fn names(&self) -> impl Iterator<Item = &StoreName> {
        self.0.kept.iter().map(|kept| &kept.name)
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// A single store of them, for tools that look at one.
    pub fn store(&self, name: &StoreName) -> Option<&Store> {
        self.0.kept.iter().find(|kept| kept.name == *name).map(|kept| &kept.store)
    }

    /// Everything that is owed to stores.
    pub async fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        match &self.0.spool {
            Some(spool) => spool.owed().await,
            None => Ok(vec![]),
        }
    }

    fn kept(&self) -> &[Arc<Kept>] {
        &self.0.kept
    }

    fn spool(&self) -> Option<&Spool> {
        self.0.spool.as_ref()
    }

    /// Where an object may be: the stores in their order, and then the spool, which has what stores did not take.
    fn sources(&self) -> impl Iterator<Item = &Arc<Kept>> {
        self.0.kept.iter().chain(self.0.spool.as_ref().map(Spool::kept))
    }

    fn wake_synchroniser(&self) {
        self.0.owed.notify_one();
    }

    async fn synchroniser_woken(&self) {
        self.0.owed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything runs in jobs, which move between threads: the compiler is the one who checks this.
    #[test]
    fn everything_can_be_spawned() {
        fn spawnable<T: Send + 'static>(_: T) {}
        fn all(stores: Stores, fanout: fn() -> Fanout, folder: BackupFolder, pack: Pack, name: ObjectName) {
            let (s, f, p, n) = (stores.clone(), folder.clone(), pack.clone(), name.clone());
            spawnable(async move {
                let mut fanout = fanout();
                fanout.write(bytes::Bytes::new()).await?;
                fanout.end().await?;
                fanout.commit(bytes::Bytes::new()).await
            });
            spawnable(async move { s.get_checked(&n, 1, |_| Err::<(), _>("no")).await });
            let s = stores.clone();
            spawnable(async move {
                let now = chrono::Utc::now();
                let _ = s.delete_backup(&f).await;
                let _ = s.sweep(&f.cluster, std::time::Duration::ZERO, now).await;
                let _ = s.holdings(&f.cluster).await;
                let _ = s.status().await;
                let _ = s.synchronise().await;
                let _ = (s.inspect(&p).await, s.heal(&p).await, s.fetch(&p).await, s.get(&p).await);
                let _ = (s.put(&name, bytes::Bytes::new()).await, s.holders(&name, 0).await);
                let _ = (s.delete(&name).await, s.list("v1/").await, s.owed().await);
            });
        }
        let _ = all;
    }
}
