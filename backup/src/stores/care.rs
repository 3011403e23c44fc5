//! Looking after what is kept: inspection, healing, deletion of whole backups, sweeping up.

use super::Stores;
use super::copying::copy;
use super::error::StoreError;
use super::everywhere::Deletion;
use super::kept::{Kept, asked, tried};
use super::lane::digest_is_right;
use super::names::{BackupClass, BackupFolder, Cluster, ObjectName};
use super::pack::Pack;
use super::store::{Creation, StoreName};
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What one store makes of one object.
#[derive(Debug)]
pub enum Health {
    Whole,
    Missing,
    /// Its digest or its size is wrong.
    Damaged,
    /// The store did not say.
    Unknown(StoreError),
}

/// What [`Stores::heal`] has done.
#[derive(Debug, Default)]
pub struct Healing {
    /// Stores that have it whole now and had not before.
    pub healed: Vec<StoreName>,
    pub failed: Vec<(StoreName, StoreError)>,
    /// Whether at least one store has it whole.
    pub is_whole: bool,
}

/// What [`Stores::sweep`] has removed.
#[derive(Debug, Default)]
pub struct Swept {
    /// Backups that never got a manifest.
    pub unfinished: Vec<BackupFolder>,
    pub uploads_aborted: u64,
    /// Stores that did not answer. When there are any no backup is taken for unfinished: its manifest may be there.
    pub unanswered: Vec<StoreName>,
}

impl Stores {
    /// Reads the object whole from every store and compares its digest. Nothing is changed.
    pub async fn inspect(&self, pack: &Pack) -> Vec<(StoreName, Health)> {
        let tries = self.settings().tries;
        let inspected = join_all(self.kept().iter().map(|kept| digest_is_right(kept, tries, pack))).await;
        let healths = inspected.into_iter().map(|inspected| match inspected {
            Ok(()) => Health::Whole,
            Err(StoreError::Missing) => Health::Missing,
            Err(StoreError::Damaged { .. }) => Health::Damaged,
            Err(error) => Health::Unknown(error),
        });
        self.kept().iter().map(|kept| kept.name.clone()).zip(healths).collect()
    }

    /// Brings the object to every store in which it is missing or damaged, from one that has it whole; that is
    /// checked on the way, and read back.
    pub async fn heal(&self, pack: &Pack) -> Healing {
        let inspected = self.inspect(pack).await;
        self.heal_inspected(pack, inspected).await
    }

    /// As [`Self::heal`], with what [`Self::inspect`] has just found.
    pub async fn heal_inspected(&self, pack: &Pack, inspected: Vec<(StoreName, Health)>) -> Healing {
        let is_whole =
            |name: &StoreName| inspected.iter().any(|(n, h)| n == name && matches!(h, Health::Whole));
        let in_spool = |name: &StoreName| self.spool().is_some_and(|spool| spool.kept().name == *name);
        let sources: Vec<_> = self.sources().filter(|k| is_whole(&k.name) || in_spool(&k.name)).collect();
        let mut healing =
            Healing { is_whole: inspected.iter().any(|(name, _)| is_whole(name)), ..Healing::default() };
        for (kept, (_, health)) in self.kept().iter().zip(&inspected) {
            let creation = match health {
                Health::Missing => Creation::Only,
                Health::Damaged => Creation::Replace,
                Health::Whole | Health::Unknown(_) => continue,
            };
            let mut outcome = Err(StoreError::Missing);
            for source in &sources {
                outcome = match copy(source, kept, pack, creation, self.settings()).await {
                    Ok(()) => digest_is_right(kept, self.settings().tries, pack).await,
                    Err(error) => Err(error.error),
                };
                if outcome.is_ok() {
                    break;
                }
            }
            match outcome {
                Ok(()) => {
                    tracing::info!(store = %kept.name, object = %pack.object, "healed");
                    metrics::counter!("counterfoil_backup_healed_total", "store" => kept.name.to_string())
                        .increment(1);
                    healing.healed.push(kept.name.clone());
                    healing.is_whole = true;
                }
                Err(error) => healing.failed.push((kept.name.clone(), error)),
            }
        }
        healing
    }

    /// Stores that have an object of this size under this name: one request each. For the manifest of a backup this
    /// is the number of its copies.
    pub async fn holders(&self, object: &ObjectName, size_bytes: u64) -> Vec<StoreName> {
        let heads = self.kept().iter().map(|kept| self.has_of_size(kept, object, size_bytes));
        let holders = self.kept().iter().zip(join_all(heads).await).filter(|(_, has)| *has);
        holders.map(|(kept, _)| kept.name.clone()).collect()
    }

    async fn has_of_size(&self, kept: &Kept, object: &ObjectName, size_bytes: u64) -> bool {
        let head = tried!(kept, self.settings().tries, kept.store.head(object));
        head.is_ok_and(|head| head.size_bytes == size_bytes)
    }

    /// Removes a backup from all stores: its manifest first, so that it stops being one before it becomes incomplete.
    /// While a store has the manifest locked nothing else is removed.
    pub async fn delete_backup(&self, folder: &BackupFolder) -> Deletion {
        let mut deletion = self.delete(&folder.manifest()).await;
        if !deletion.complete {
            return deletion;
        }
        let listing = self.list(&folder.prefix()).await;
        for object in listing.objects.keys() {
            let Deletion { complete, locked, failed } = self.delete(object).await;
            deletion.complete &= complete;
            deletion.locked.extend(locked);
            deletion.failed.extend(failed);
        }
        // Its key, as later keys have wrapped it: worth nothing without it.
        let keys = self.list(&folder.cluster.wrapped_keys_prefix(folder.id)).await;
        for object in keys.objects.keys() {
            deletion.complete &= self.delete(object).await.complete;
        }
        deletion.complete &= listing.unanswered.is_empty();
        deletion.failed.extend(listing.unanswered);
        if let Some(spool) = self.spool() {
            for copy in self.list_of(spool.kept(), &folder.prefix()).await.unwrap_or_default() {
                let _ = spool.kept().store.delete(&copy.name).await;
            }
            for owed in spool.owed().await.unwrap_or_default() {
                if BackupFolder::of(&owed.pack.object).as_ref() == Some(folder) {
                    let _ = spool.forget(&owed.store, &owed.pack.object).await;
                }
            }
        }
        deletion
    }

    /// Removes what writers left that ended before their manifest, when its youngest object is older than `age`;
    /// uploads begun before that too. `age` must be longer than any backup takes: a day, say.
    pub async fn sweep(&self, cluster: &Cluster, age: Duration, now: DateTime<Utc>) -> Swept {
        let mut swept = Swept::default();
        for kept in self.sources() {
            match asked!(kept, kept.store.abort_unfinished(&cluster.prefix(), age)) {
                Ok(aborted) => swept.uploads_aborted += aborted,
                Err(error) => tracing::debug!(store = %kept.name, %error, "unfinished uploads are left"),
            }
        }
        let mut unanswered = BTreeSet::new();
        // Of each backup: the youngest object, and whether there is a manifest.
        let mut backups: BTreeMap<String, (BackupFolder, Option<DateTime<Utc>>, bool)> = BTreeMap::new();
        for class in BackupClass::ALL {
            for kept in self.sources() {
                let Ok(objects) = self.list_of(kept, &cluster.class_prefix(class)).await else {
                    unanswered.insert(kept.name.clone());
                    continue;
                };
                for object in objects {
                    let Some(folder) = BackupFolder::of(&object.name) else { continue };
                    let backup = backups.entry(folder.prefix()).or_insert((folder, None, false));
                    // A store that does not say when is taken for having got it just now.
                    backup.1 = backup.1.max(Some(object.modified_at.unwrap_or(now)));
                    backup.2 |= object.name.is_manifest();
                }
            }
        }
        swept.unanswered = unanswered.into_iter().collect();
        if !swept.unanswered.is_empty() {
            return swept;
        }
        let horizon = now - age;
        for (folder, youngest, has_manifest) in backups.into_values() {
            if !has_manifest && youngest.is_some_and(|at| at < horizon) {
                tracing::info!(backup = %folder.id, "removing a backup that was never completed");
                self.delete_backup(&folder).await;
                swept.unfinished.push(folder);
            }
        }
        swept
    }
}
