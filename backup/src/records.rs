//! What is written down of backups and restores in the database, when one is there. Whoever calls goes on when it
//! cannot be written: the stores are the truth, and [`synchronise`] makes up for it.

use crate::catalogue::Catalogue;
use crate::error::Error;
use crate::kinds::Created;
use crate::manifest::Manifest;
use crate::prune::Marks;
use crate::stores::{BackupClass, StoreName};
use crate::verify::Verified;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{BackupId, ProjectId, RestoreId};
use shared::store::backups::{
    BackupKind, BackupRecord, BackupState, CopyState, RestoreMode, RestoreRecord, RestoreState,
};
use shared::store::{Store, StoreError};
use uuid::Uuid;

pub fn kind(class: BackupClass) -> BackupKind {
    match class {
        BackupClass::Base => BackupKind::Base,
        BackupClass::Full => BackupKind::Full,
        BackupClass::Tenant => BackupKind::Tenant,
        BackupClass::Configuration => BackupKind::Configuration,
    }
}

/// What the records say of a backup, from [`Store::marked_backups`].
pub fn marks(marked: &[(BackupId, bool, bool)]) -> impl Fn(Uuid) -> Marks {
    |id| {
        let found = marked.iter().find(|(of, ..)| of.0 == id);
        found.map_or_else(Marks::default, |(_, is_lost, is_protected)| Marks {
            is_lost: *is_lost,
            is_protected: *is_protected,
        })
    }
}

/// Writes a committed backup down.
pub async fn record_created(store: &Store, created: &Created) -> Result<(), StoreError> {
    let held = created.commit.held_by.iter().map(|store| (store.to_string(), CopyState::Held));
    let owed = created.commit.owed_to.iter().map(|store| (store.to_string(), CopyState::Owed));
    let copies: Vec<_> = held.chain(owed).collect();
    store.record_backup(&of_manifest(&created.manifest, created.commit.counts), &copies).await
}

/// Writes a backup down that did not come about. Stopping one on request is no failure.
pub async fn record_failed(
    store: &Store,
    class: BackupClass,
    project: Option<Uuid>,
    started_at: DateTime<Utc>,
    error: &Error,
) -> Result<(), StoreError> {
    if matches!(error, Error::Stopped) {
        return Ok(());
    }
    let record = BackupRecord {
        id: BackupId::new(),
        class: kind(class),
        state: BackupState::Failed,
        project_id: project.map(ProjectId),
        group_id: None,
        note: None,
        started_at,
        taken_at: None,
        finished_at: Utc::now(),
        rows: None,
        plain_bytes: None,
        sealed_bytes: None,
        counts: None,
        manifest: None,
        error: Some(shared::chain(error)),
        is_protected: false,
        verified_at: None,
        verification: None,
        is_good: None,
        removed_at: None,
    };
    store.record_backup(&record, &[]).await
}

fn of_manifest(manifest: &Manifest, counts: bool) -> BackupRecord {
    let number = |count: u64| i64::try_from(count).ok();
    BackupRecord {
        id: BackupId(manifest.id),
        class: kind(manifest.class),
        state: BackupState::Committed,
        project_id: manifest.tenants.first().copied().map(ProjectId),
        group_id: manifest.group,
        note: manifest.note.clone(),
        started_at: manifest.started_at,
        taken_at: Some(manifest.taken_at()),
        finished_at: manifest.finished_at,
        rows: number(manifest.rows()),
        plain_bytes: number(manifest.plain_bytes()),
        sealed_bytes: number(manifest.sealed_bytes()),
        counts: Some(counts),
        manifest: serde_json::to_value(manifest).ok(),
        error: None,
        is_protected: false,
        verified_at: None,
        verification: None,
        is_good: None,
        removed_at: None,
    }
}

/// Writes down what a verification found.
pub async fn record_verified(store: &Store, verified: &Verified) -> Result<(), StoreError> {
    let copies: Vec<(String, CopyState)> = verified
        .stores
        .iter()
        .map(|(name, found)| {
            let harmed = (found.missing.len() + found.damaged.len()) as u64;
            let state = match found {
                found if !found.unknown.is_empty() => CopyState::Unknown,
                found if found.healed == harmed => CopyState::Held,
                found if !found.damaged.is_empty() => CopyState::Damaged,
                _ => CopyState::Missing,
            };
            (name.clone(), state)
        })
        .collect();
    let json = serde_json::to_value(verified).unwrap_or_default();
    store.record_verification(BackupId(verified.backup), verified.is_good(), &json, &copies).await
}

/// Brings the records up to the stores: backups that they have and the records have not (taken while the database was
/// away, or before it was restored), and those that no store has any more. The latter only when every store answered.
pub async fn synchronise(store: &Store, catalogue: &Catalogue, copies_min: usize) -> Result<(), StoreError> {
    for backup in &catalogue.backups {
        if let Ok(manifest) = &backup.manifest {
            let held: Vec<_> =
                backup.held_by.iter().map(|name: &StoreName| (name.to_string(), CopyState::Held)).collect();
            store.record_backup(&of_manifest(manifest, held.len() >= copies_min), &held).await?;
        }
    }
    if !catalogue.unanswered.is_empty() {
        return Ok(());
    }
    let mut before = None;
    loop {
        let page = store.backups(None, before, 500).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for record in page.iter().filter(|record| record.state == BackupState::Committed) {
            // One that was taken while the stores were being asked is not in what they answered.
            let is_recent = Utc::now() - record.finished_at < chrono::TimeDelta::hours(1);
            if !is_recent && !catalogue.backups.iter().any(|b| b.folder.id == record.id.0) {
                store.record_removed_backup(record.id).await?;
            }
        }
    }
}

/// A restore, as it is written down: at its beginning and at its end.
pub struct RestoreLog(pub RestoreRecord);

impl RestoreLog {
    pub fn begin(
        backup: Uuid,
        mode: RestoreMode,
        target: Option<String>,
        tenants: Vec<Uuid>,
        is_dry_run: bool,
        asked_by: &str,
    ) -> Self {
        Self(RestoreRecord {
            id: RestoreId::new(),
            backup_id: BackupId(backup),
            mode,
            is_dry_run,
            state: RestoreState::Running,
            target,
            tenants,
            asked_by: asked_by.to_owned(),
            started_at: Utc::now(),
            finished_at: None,
            report: None,
            error: None,
        })
    }

    /// `failure`: why what was done does not count, though it came to its end (a drill whose checks failed).
    pub fn end<R: Serialize>(&mut self, report: Result<&R, &Error>, failure: Option<String>) {
        self.0.finished_at = Some(Utc::now());
        match report {
            Ok(report) => {
                self.0.report = serde_json::to_value(report).ok();
                self.0.error = failure;
            }
            Err(error) => self.0.error = Some(shared::chain(error)),
        }
        self.0.state = if self.0.error.is_some() { RestoreState::Failed } else { RestoreState::Succeeded };
    }
}
