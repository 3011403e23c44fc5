//! Small objects that are not part of a backup: WAL, wrapped keys, verifications. Into all stores, out of all stores.

use super::Stores;
use super::error::StoreError;
use super::kept::{Kept, tried};
use super::names::ObjectName;
use super::pack::Pack;
use super::reading::read_small;
use super::spool::{Owed, Reason};
use super::store::{Creation, StoreName};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// What became of an object that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    pub held_by: Vec<StoreName>,
    /// They get it later, from the spool; without a spool not by themselves.
    pub owed_to: Vec<StoreName>,
    /// Whether `copies_min` stores hold it.
    pub counts: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// A store has other bytes under this name. Nothing was written, by this call, to any store. When they mean the
    /// same (sealed a second time, say), put *those* bytes: that brings them to the stores that lack them.
    #[error("{store} has another object of this name")]
    Differs { store: StoreName },
    #[error("no store took the object: {}", list(.0))]
    Nowhere(Vec<(StoreName, StoreError)>),
}

/// What became of an object that was deleted.
#[derive(Debug, Default)]
pub struct Deletion {
    /// Whether no store has it any more.
    pub complete: bool,
    /// Which refuse because of a lock; try again when it ends.
    pub locked: Vec<(StoreName, Option<DateTime<Utc>>)>,
    pub failed: Vec<(StoreName, StoreError)>,
}

/// What all stores together have.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their names.
    pub objects: BTreeMap<ObjectName, Found>,
    /// Stores that could not be asked: what they alone have is not listed.
    pub unanswered: Vec<(StoreName, StoreError)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of the first store that has it, as are the other values.
    pub size_bytes: u64,
    pub modified_at: Option<DateTime<Utc>>,
    /// In the configured order.
    pub held_by: Vec<StoreName>,
}

fn list(tries: &[(StoreName, StoreError)]) -> String {
    let tries: Vec<_> = tries.iter().map(|(store, error)| format!("{store}: {error}")).collect();
    tries.join("; ")
}

impl Stores {
    /// Writes an object to all stores at once. Putting the same bytes again is no error and fills the stores that
    /// lack them. What a store does not take is spooled; an error only when neither a store nor the spool has it.
    pub async fn put(&self, object: &ObjectName, bytes: Bytes) -> Result<Put, PutError> {
        let found = join_all(self.kept().iter().map(|kept| self.has_the_same(kept, object, &bytes))).await;
        for (kept, found) in self.kept().iter().zip(&found) {
            if matches!(found, Ok(Some(false))) {
                return Err(PutError::Differs { store: kept.name.clone() });
            }
        }
        let found = self.kept().iter().zip(found);
        let put = found.map(|(kept, found)| self.put_unless_found(kept, object, &bytes, found));
        let (mut held_by, mut failed) = (vec![], vec![]);
        for (kept, put) in self.kept().iter().zip(join_all(put).await) {
            match put {
                Ok(()) => held_by.push(kept.name.clone()),
                Err(error) => failed.push((kept.name.clone(), error)),
            }
        }
        let owed_to: Vec<_> = failed.iter().map(|(store, _)| store.clone()).collect();
        let spooled = self.spool_for(object, &bytes, &owed_to).await;
        if held_by.is_empty() && !spooled {
            return Err(PutError::Nowhere(failed));
        }
        for (store, error) in &failed {
            tracing::warn!(%store, %object, %error, "a store did not take an object");
        }
        let counts = held_by.len() >= self.settings().copies_min;
        Ok(Put { held_by, owed_to, counts })
    }

    /// Removes an object from all stores; what is owed of it is forgotten.
    pub async fn delete(&self, object: &ObjectName) -> Deletion {
        let mut deletion = Deletion { complete: true, ..Deletion::default() };
        if let Some(spool) = self.spool() {
            for kept in self.kept() {
                if let Err(error) = spool.forget(&kept.name, object).await {
                    tracing::warn!(%object, %error, "a note of what is owed cannot be removed");
                }
            }
        }
        let deleted = self.sources().map(|kept| self.delete_in(kept, object));
        for (kept, deleted) in self.sources().zip(join_all(deleted).await) {
            match deleted {
                Ok(()) => continue,
                Err(StoreError::Locked { until }) => deletion.locked.push((kept.name.clone(), until)),
                Err(error) => deletion.failed.push((kept.name.clone(), error)),
            }
            deletion.complete = false;
        }
        deletion
    }

    /// The objects whose names begin with `prefix`, of all stores that answer. Memory: some 300 bytes an object;
    /// S3: a request for each thousand.
    pub async fn list(&self, prefix: &str) -> Listing {
        let listed = join_all(self.kept().iter().map(|kept| self.list_of(kept, prefix))).await;
        let mut listing = Listing::default();
        for (kept, listed) in self.kept().iter().zip(listed) {
            let objects = match listed {
                Ok(objects) => objects,
                Err(error) => {
                    listing.unanswered.push((kept.name.clone(), error));
                    continue;
                }
            };
            for super::StoredObject { name, size_bytes, modified_at } in objects {
                let found = listing.objects.entry(name);
                let found = found.or_insert_with(|| Found { size_bytes, modified_at, held_by: vec![] });
                found.held_by.push(kept.name.clone());
            }
        }
        listing
    }

    pub(super) async fn list_of(
        &self,
        kept: &Kept,
        prefix: &str,
    ) -> Result<Vec<super::StoredObject>, StoreError> {
        let (mut objects, mut next) = (vec![], None);
        loop {
            let page = tried!(kept, self.settings().tries, kept.store.list(prefix, next.clone()))?;
            objects.extend(page.objects);
            next = page.next;
            if next.is_none() {
                return Ok(objects);
            }
        }
    }

    /// `None`: it has none.
    async fn has_the_same(
        &self,
        kept: &Kept,
        object: &ObjectName,
        bytes: &Bytes,
    ) -> Result<Option<bool>, StoreError> {
        match tried!(kept, self.settings().tries, is_the_same(kept, object, bytes)) {
            Err(StoreError::Missing) => Ok(None),
            other => other.map(Some),
        }
    }

    async fn delete_in(&self, kept: &Kept, object: &ObjectName) -> Result<(), StoreError> {
        tried!(kept, self.settings().tries, kept.store.delete(object))
    }

    async fn put_unless_found(
        &self,
        kept: &Kept,
        object: &ObjectName,
        bytes: &Bytes,
        found: Result<Option<bool>, StoreError>,
    ) -> Result<(), StoreError> {
        match found? {
            Some(_) => Ok(()),
            None => self.put_in(kept, object, bytes).await,
        }
    }

    async fn put_in(&self, kept: &Kept, object: &ObjectName, bytes: &Bytes) -> Result<(), StoreError> {
        let put = tried!(kept, self.settings().tries, kept.store.put(object, bytes.clone(), Creation::Only));
        match put {
            // By a try whose answer was lost, or by somebody else since we looked.
            Err(StoreError::Exists) => match self.has_the_same(kept, object, bytes).await? {
                Some(true) => Ok(()),
                _ => Err(StoreError::Exists),
            },
            other => other,
        }
    }

    /// Whether the object is in the spool now.
    async fn spool_for(&self, object: &ObjectName, bytes: &Bytes, stores: &[StoreName]) -> bool {
        let Some(spool) = self.spool().filter(|_| !stores.is_empty()) else { return false };
        let (pack, since) = (Pack::of(object.clone(), bytes), Utc::now());
        let owed = stores.iter().map(|store| Owed {
            store: store.clone(),
            pack: pack.clone(),
            reason: Reason::Missing,
            since,
        });
        let spooled = match spool.owe(owed.collect()).await {
            Ok(()) => self.put_in(spool.kept(), object, bytes).await,
            error => error,
        };
        self.wake_synchroniser();
        spooled.inspect_err(|error| tracing::warn!(%object, %error, "the spool did not take it")).is_ok()
    }
}

async fn is_the_same(kept: &Kept, object: &ObjectName, bytes: &Bytes) -> Result<bool, StoreError> {
    if kept.store.head(object).await?.size_bytes != bytes.len() as u64 {
        return Ok(false);
    }
    match read_small(kept, object, bytes.len()).await {
        Err(StoreError::Damaged { .. }) => Ok(false),
        there => Ok(there? == *bytes),
    }
}
