//! `prune_backups`: planned by the pure rules, then performed. Every removal is in the records and in the result.

use super::{args, done, warn_if_unrecorded};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::jobs::PruneArgs;
use ::backup::prune::{perform, plan};
use ::backup::records::{marks, synchronise};
use ::backup::retention::Reason;
use chrono::Utc;
use serde::Serialize;
use shared::ids::BackupId;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The job's result.
#[derive(Debug, Default, Serialize)]
struct Told {
    is_dry_run: bool,
    kept: usize,
    /// How many are kept for which reason; one may have several.
    reasons: BTreeMap<String, usize>,
    /// Or would be.
    removed: Vec<Uuid>,
    /// Locked, or in a store that did not answer: another time.
    left: Vec<Uuid>,
    wal_files: u64,
    /// Backups and WAL files that are still there: a store locks them, or did not remove them.
    locked: u64,
    failed: u64,
    unfinished: usize,
}

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let PruneArgs { dry_run } = args(&context)?;
    let engine = backups.engine().map_err(|error| job_error("opening the stores", &error))?;
    let policy = backups.config().retention.into();
    let copies_min = backups.config().copies_min;
    let store = context.store().clone();
    let marked = store.marked_backups().await?;
    let supervised = Supervised::new(&context, 0);
    let progress = supervised.run.clone();
    let work = async move {
        let planned = plan(&engine, marks(&marked), &policy, Utc::now()).await?;
        warn_if_unrecorded(synchronise(&store, &planned.catalogue, copies_min).await);
        let mut told = Told { is_dry_run: dry_run, kept: planned.plan.kept.len(), ..Told::default() };
        for reason in planned.plan.kept.iter().flat_map(|(_, reasons)| reasons) {
            *told.reasons.entry(word(reason)).or_default() += 1;
        }
        if dry_run {
            told.removed = planned.plan.removed;
            return Ok(told);
        }
        let pruned = perform(&engine, &planned, &progress).await?;
        for id in &pruned.removed {
            warn_if_unrecorded(store.record_removed_backup(BackupId(*id)).await);
        }
        (told.locked, told.failed) = pruned.held();
        warn_if_unrecorded(store.record_backup_removal(told.locked, told.failed).await);
        told.removed = pruned.removed;
        told.left = pruned.left.iter().map(|left| left.id).collect();
        told.wal_files = pruned.wal.removed;
        told.unfinished = pruned.unfinished.unfinished.len();
        Ok(told)
    };
    let told = supervised.perform(work).await.map_err(|error| job_error("removing backups", &error))?;
    done(&told)
}

fn word(reason: &Reason) -> String {
    match reason {
        Reason::NeededBy(_) => "needed".into(),
        reason => serde_json::to_value(reason)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}
