//! The end of a fan-out: the manifest, or nothing.

use super::error::StoreError;
use super::fanout::{Fanout, FanoutError};
use super::kept::{Kept, asked, tried};
use super::lane::{Lane, digest_is_right};
use super::pack::Pack;
use super::spool::{Owed, Reason};
use super::store::{Creation, StoreName};
use bytes::Bytes;
use chrono::Utc;
use std::time::Duration;

/// For which an abandoned backup waits for the requests under way.
const LAST_REQUEST_MAX: Duration = Duration::from_secs(10);

/// What became of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Stores that hold all packs and the manifest, read back.
    pub held_by: Vec<StoreName>,
    /// The others. They get the backup later if there is a spool, else by [`Stores::heal`].
    pub owed_to: Vec<StoreName>,
    /// Whether so many stores hold it that it is a backup: `copies_min`.
    pub counts: bool,
}

impl Fanout {
    /// Waits for all packs, then writes the manifest to each store that holds them all, and reads it back. What the
    /// others miss is written down before, so that a backup with a manifest never lacks that note.
    pub async fn commit(self, manifest: Bytes) -> Result<Commit, FanoutError> {
        if let Some(open) = &self.stream {
            return Err(FanoutError::Unended(open.clone()));
        }
        self.flush().await;
        self.all_packs_are_held()?;
        let manifest_pack = Pack::of(self.folder.manifest(), &manifest);
        let (whole, partial): (Vec<&Lane>, Vec<&Lane>) =
            self.lanes.iter().partition(|lane| self.is_whole(lane));
        let owed = partial.iter().flat_map(|lane| {
            let held = lane.shared.report().held.clone();
            let missing = self.all.iter().filter(move |pack| !held.contains(&pack.object));
            missing.chain([&manifest_pack]).map(|pack| (lane.kept.name.clone(), pack.clone()))
        });
        let owed: Vec<_> = owed.collect();
        self.owe(owed, &manifest).await?;
        let put = whole.iter().map(|lane| self.put_manifest(&lane.kept, &manifest_pack, manifest.clone()));
        let put = futures_util::future::join_all(put).await;
        let (mut held_by, mut failed) = (vec![], vec![]);
        for (lane, put) in whole.iter().zip(put) {
            match put {
                Ok(()) => held_by.push(lane.kept.name.clone()),
                Err(StoreError::Exists) => return Err(FanoutError::Committed(lane.kept.name.clone())),
                Err(error) => {
                    tracing::warn!(store = %lane.kept.name, %error, "a store did not take the manifest");
                    failed.push((lane.kept.name.clone(), manifest_pack.clone()));
                }
            }
        }
        let owed_to = partial.iter().map(|lane| lane.kept.name.clone());
        let owed_to = owed_to.chain(failed.iter().map(|(name, _)| name.clone())).collect();
        self.owe(failed, &manifest).await?;
        self.clear_spool().await;
        let counts = held_by.len() >= self.stores.settings().copies_min;
        Ok(Commit { held_by, owed_to, counts })
    }

    /// Stops, and removes what was written, as far as the stores answer and allow it.
    pub async fn abandon(self) {
        // The request that a store is answering ends first, or it could create a part after the upload is aborted: S3
        // promises nothing about a part that is under way.
        for lane in self.lanes.iter().chain(&self.spool) {
            lane.take_no_more("abandoned");
        }
        if tokio::time::timeout(LAST_REQUEST_MAX, self.flush()).await.is_err() {
            for lane in self.lanes.iter().chain(&self.spool) {
                lane.give_up("abandoned");
            }
            self.flush().await;
        }
        for lane in self.lanes.iter().chain(&self.spool) {
            let held: Vec<_> = lane.shared.report().held.iter().cloned().collect();
            for object in held {
                if let Err(error) = asked!(lane.kept, lane.kept.store.delete(&object)) {
                    tracing::debug!(store = %lane.kept.name, %object, %error, "left for the sweeper");
                }
            }
        }
    }

    fn is_whole(&self, lane: &Lane) -> bool {
        let report = lane.shared.report();
        self.all.iter().all(|pack| report.held.contains(&pack.object))
    }

    fn all_packs_are_held(&self) -> Result<(), FanoutError> {
        let held = |pack: &&Pack| {
            let mut lanes = self.lanes.iter().chain(&self.spool);
            lanes.any(|lane| lane.shared.report().held.contains(&pack.object))
        };
        match self.all.iter().find(|pack| !held(pack)) {
            Some(pack) => Err(FanoutError::Lost { object: pack.object.clone(), why: self.failures() }),
            None => Ok(()),
        }
    }

    async fn owe(&self, owed: Vec<(StoreName, Pack)>, manifest: &Bytes) -> Result<(), FanoutError> {
        let Some(spool) = self.stores.spool().filter(|_| !owed.is_empty()) else { return Ok(()) };
        let since = Utc::now();
        let owed = owed
            .into_iter()
            .map(|(store, pack)| Owed { store, pack, reason: Reason::Missing, since })
            .collect();
        spool.owe(owed).await.map_err(FanoutError::Spool)?;
        let name = self.folder.manifest();
        match spool.kept().store.put(&name, manifest.clone(), Creation::Only).await {
            // Full, perhaps: the stores that do have it are sources as well.
            Err(error) if !matches!(error, StoreError::Exists) => {
                tracing::warn!(%error, "the spool did not take a manifest");
            }
            _ => {}
        }
        self.stores.wake_synchroniser();
        Ok(())
    }

    /// Removes from the spool what all stores have got by themselves.
    pub(super) async fn clear_spool(&self) {
        let Some(lane) = &self.spool else { return };
        let spooled: Vec<_> = lane.shared.report().held.iter().cloned().collect();
        for object in spooled {
            if self.lanes.iter().all(|lane| lane.shared.report().held.contains(&object)) {
                let _ = lane.kept.store.delete(&object).await;
                lane.shared.report().held.remove(&object);
            }
        }
    }

    async fn put_manifest(&self, kept: &Kept, manifest: &Pack, bytes: Bytes) -> Result<(), StoreError> {
        let tries = self.stores.settings().tries;
        let put = tried!(kept, tries, kept.store.put(&manifest.object, bytes.clone(), Creation::Only));
        match put {
            Ok(()) => digest_is_right(kept, tries, manifest).await,
            // By a try whose answer was lost, or by another run.
            Err(StoreError::Exists) => match digest_is_right(kept, tries, manifest).await {
                Err(StoreError::Damaged { .. }) => Err(StoreError::Exists),
                other => other,
            },
            Err(error) => Err(error),
        }
    }
}
