//! How each store is, for people and alarms.

use super::Stores;
use super::error::StoreError;
use super::kept::{Contact, Kept};
use super::names::Cluster;
use super::store::{StoreKind, StoreName};
use futures_util::future::join_all;

#[derive(Debug, Clone, PartialEq)]
pub struct StoreStatus {
    pub name: StoreName,
    pub kind: StoreKind,
    /// Whether it answers now; `contact` says why not.
    pub is_reachable: bool,
    /// What this process has seen of it.
    pub contact: Contact,
    /// 0 to 1, where the store says so: disks do.
    pub share_used: Option<f64>,
    /// Objects that it should have and has not (or not whole), and their bytes, as far as anybody noticed.
    pub owed_objects: u64,
    pub owed_bytes: u64,
}

/// What a store holds of a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holdings {
    pub objects: u64,
    pub bytes: u64,
}

impl Stores {
    /// Asks every store one small thing, all at once.
    pub async fn status(&self) -> Result<Vec<StoreStatus>, StoreError> {
        let owed = match self.spool() {
            Some(spool) => spool.owed().await?,
            None => vec![],
        };
        let probes = join_all(self.kept().iter().map(|kept| probe(kept))).await;
        let statuses = self.kept().iter().zip(probes).map(|(kept, probe)| {
            let owed = owed.iter().filter(|owed| owed.store == kept.name);
            StoreStatus {
                name: kept.name.clone(),
                kind: kept.store.kind(),
                is_reachable: probe.is_ok(),
                contact: kept.contact().clone(),
                share_used: probe.ok().flatten(),
                owed_objects: owed.clone().count() as u64,
                owed_bytes: owed.map(|owed| owed.pack.size_bytes).sum(),
            }
        });
        Ok(statuses.collect())
    }

    /// Counts everything of a cluster: a request for each thousand objects of each store.
    pub async fn holdings(&self, cluster: &Cluster) -> Vec<(StoreName, Result<Holdings, StoreError>)> {
        let prefix = cluster.prefix();
        let counted = join_all(self.kept().iter().map(|kept| self.holdings_of(kept, &prefix)));
        self.kept().iter().map(|kept| kept.name.clone()).zip(counted.await).collect()
    }

    async fn holdings_of(&self, kept: &Kept, prefix: &str) -> Result<Holdings, StoreError> {
        let objects = self.list_of(kept, prefix).await?;
        let bytes = objects.iter().map(|object| object.size_bytes).sum();
        Ok(Holdings { objects: objects.len() as u64, bytes })
    }
}

/// Asks for one small thing, also a store that is left alone, and says in the metric whether it came.
pub(super) async fn probe(kept: &Kept) -> Result<Option<f64>, StoreError> {
    let probe = kept.noted(kept.store.probe().await);
    if probe.is_ok() {
        kept.answers();
    }
    metrics::gauge!("counterfoil_backup_store_reachable", "store" => kept.name.to_string())
        .set(f64::from(u8::from(probe.is_ok())));
    probe
}
