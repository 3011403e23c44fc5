//! Brings the stores what is owed to them, in the background.

use super::Stores;
use super::copying::copy;
use super::error::StoreError;
use super::kept::{Kept, asked};
use super::lane::digest_is_right;
use super::names::BackupFolder;
use super::spool::{Owed, Reason, Spool};
use super::status::probe;
use super::store::{Creation, StoreName};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// What a round has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synchronised {
    pub paid: u64,
    /// Left for a later round.
    pub left: u64,
}

impl Stores {
    /// Runs until `stop`: a round each `period`, and one soon after something new is owed. Several processes may do
    /// it at once over the same spool; what both bring is the same.
    pub async fn synchronise_until(&self, stop: CancellationToken, period: Duration) {
        loop {
            let round = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                round = self.synchronise() => round,
            };
            note_round(&round);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.synchroniser_woken() => {}
                () = tokio::time::sleep(period) => {}
            }
        }
    }

    /// One round: a store that does not answer is passed over. Packs come before the manifest of their backup.
    pub async fn synchronise(&self) -> Result<Synchronised, StoreError> {
        let Some(spool) = self.spool() else { return Ok(Synchronised::default()) };
        let mut by_store: BTreeMap<StoreName, Vec<Owed>> = BTreeMap::new();
        for owed in spool.owed().await? {
            by_store.entry(owed.store.clone()).or_default().push(owed);
        }
        let mut done = Synchronised::default();
        for kept in self.kept() {
            let owed = by_store.remove(&kept.name).unwrap_or_default();
            let count = owed.len() as u64;
            let is_reachable = probe(kept).await.is_ok();
            let paid = if is_reachable { self.pay(spool, kept, owed).await? } else { 0 };
            done.paid += paid;
            done.left += count - paid;
            metrics::gauge!("counterfoil_backup_owed_objects", "store" => kept.name.to_string())
                .set((count - paid) as f64);
        }
        // Of stores that are no longer configured.
        for owed in by_store.into_values().flatten() {
            spool.forget(&owed.store, &owed.pack.object).await?;
        }
        self.clear_spool_copies(spool).await?;
        Ok(done)
    }

    async fn pay(&self, spool: &Spool, kept: &Arc<Kept>, mut owed: Vec<Owed>) -> Result<u64, StoreError> {
        owed.sort_by_key(|owed| (owed.pack.object.is_manifest(), owed.pack.object.clone()));
        let (mut paid, mut incomplete) = (0, HashSet::new());
        for Owed { pack, reason, .. } in owed {
            let folder = BackupFolder::of(&pack.object);
            if pack.object.is_manifest() && folder.as_ref().is_some_and(|f| incomplete.contains(f)) {
                continue;
            }
            match self.pay_one(kept, &pack, reason).await {
                Ok(()) => {
                    spool.forget(&kept.name, &pack.object).await?;
                    paid += 1;
                }
                Err(error) => {
                    tracing::debug!(store = %kept.name, object = %pack.object, %error, "still owed");
                    incomplete.extend(folder);
                    if matches!(error, StoreError::Unavailable { .. } | StoreError::Full { .. }) {
                        break;
                    }
                }
            }
        }
        Ok(paid)
    }

    async fn pay_one(&self, kept: &Arc<Kept>, pack: &super::Pack, reason: Reason) -> Result<(), StoreError> {
        let tries = self.settings().tries;
        let creation = match digest_is_right(kept, tries, pack).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Missing) => Creation::Only,
            // Nobody else writes where a backup is. Elsewhere (WAL) something else of the same name is not ours to
            // replace: it stays owed, which is an alarm.
            Err(StoreError::Damaged { .. })
                if reason == Reason::Damaged || BackupFolder::of(&pack.object).is_some() =>
            {
                Creation::Replace
            }
            Err(StoreError::Damaged { .. }) => return Err(StoreError::Exists),
            Err(error) => return Err(error),
        };
        let mut last = StoreError::Missing;
        for source in self.sources().filter(|source| source.name != kept.name) {
            match copy(source, kept, pack, creation, self.settings()).await {
                Ok(()) => return digest_is_right(kept, tries, pack).await,
                // This source has it not, or not whole.
                Err(error) if error.of_source => last = error.error,
                Err(error) => return Err(error.error),
            }
        }
        Err(last)
    }

    /// Removes copies that nothing is owed of, those of backups that are still being written excepted; what crashes
    /// have left goes with [`Stores::sweep`].
    async fn clear_spool_copies(&self, spool: &Spool) -> Result<(), StoreError> {
        let copies = spool.kept().store.list("v1/", None).await?.objects;
        let folders: HashSet<_> = copies.iter().filter_map(|copy| BackupFolder::of(&copy.name)).collect();
        let mut complete = HashSet::new();
        for folder in folders {
            if self.has_manifest(&folder).await {
                complete.insert(folder);
            }
        }
        // Last: a note is written before what makes its copy superfluous without it, so none is overlooked here.
        let owed: HashSet<_> = spool.owed().await?.into_iter().map(|owed| owed.pack.object).collect();
        for copy in copies {
            let is_complete = BackupFolder::of(&copy.name).is_none_or(|folder| complete.contains(&folder));
            if is_complete && !owed.contains(&copy.name) {
                spool.kept().store.delete(&copy.name).await?;
            }
        }
        Ok(())
    }

    async fn has_manifest(&self, folder: &BackupFolder) -> bool {
        let manifest = folder.manifest();
        for kept in self.kept() {
            if asked!(kept, kept.store.head(&manifest)).is_ok() {
                return true;
            }
        }
        false
    }
}

fn note_round(round: &Result<Synchronised, StoreError>) {
    const LOOP: &str = "backup_synchroniser";
    let outcome = if round.is_ok() { "ok" } else { "failed" };
    metrics::counter!("counterfoil_loop_runs_total", "loop" => LOOP, "outcome" => outcome).increment(1);
    match round {
        Ok(done) => {
            if done.paid > 0 {
                tracing::info!(paid = done.paid, left = done.left, "stores got what was owed to them");
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            metrics::gauge!("counterfoil_loop_last_success_timestamp_seconds", "loop" => LOOP)
                .set(now.as_secs_f64());
        }
        Err(error) => tracing::warn!(%error, "the notes of what is owed to stores cannot be read"),
    }
}
