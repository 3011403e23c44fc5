//! Removal: planned over what the stores have, shown, and then performed; the pure part is [`crate::retention`].

use crate::catalogue::{self, Catalogue};
use crate::engine::{Engine, Run};
use crate::error::{Error, Result};
use crate::retention::{self, Kept, Plan, Policy, Segment};
use crate::stores::Swept;
use crate::wal::PrunedWal;
use chrono::{DateTime, Utc};
use std::time::Duration;
use uuid::Uuid;

/// No backup takes so long: what has no manifest by then never gets one.
const UNFINISHED_FOR: Duration = Duration::from_secs(86_400);

/// What people and verifications said of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    pub is_lost: bool,
    pub is_protected: bool,
}

/// A plan with the catalogue it was made over.
#[derive(Debug)]
pub struct Planned {
    pub catalogue: Catalogue,
    pub plan: Plan,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Pruned {
    pub removed: Vec<Uuid>,
    /// Their stores lock them, or did not answer: another time.
    pub left: Vec<Left>,
    pub wal: PrunedWal,
    pub unfinished: Swept,
}

impl Pruned {
    /// Backups and WAL files that no rule keeps and that are still there: those that a store locks, and others.
    pub fn held(&self) -> (u64, u64) {
        let failed = self.left.iter().filter(|left| left.failed_in > 0).count() as u64;
        let locked = self.left.len() as u64 - failed;
        (locked + self.wal.locked, failed + self.wal.failed)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub id: Uuid,
    pub locked_by: usize,
    pub failed_in: usize,
}

/// Reads the stores and decides. Nothing is touched.
pub async fn plan(
    engine: &Engine,
    marks: impl Fn(Uuid) -> Marks,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Planned> {
    let catalogue = catalogue::read(engine, None).await?;
    let kept: Vec<Kept> = catalogue
        .backups
        .iter()
        .map(|backup| {
            let Marks { is_lost, is_protected } = marks(backup.folder.id);
            backup.for_retention(is_lost, is_protected)
        })
        .collect();
    let plan = retention::plan(&kept, policy, now);
    Ok(Planned { catalogue, plan })
}

/// Removes what the plan says, oldest first, each with its manifest first, so that none is listed without its parts;
/// then WAL that nothing kept needs, and what unfinished backups have left. Refuses to begin when a store does not
/// answer or a manifest cannot be read: what is not known may be what matters. Ends after the backup at hand when told
/// to stop.
pub async fn perform(engine: &Engine, planned: &Planned, run: &Run) -> Result<Pruned> {
    let Planned { catalogue, plan } = planned;
    if let Some((store, why)) = catalogue.unanswered.first() {
        return Err(Error::Refused(format!("store {store} does not answer: nothing is removed ({why})")));
    }
    let is_unknown =
        |b: &&catalogue::Catalogued| b.manifest.as_ref().is_err_and(|e| !matches!(e, Error::Damaged { .. }));
    if let Some(unknown) = catalogue.backups.iter().find(is_unknown) {
        // With its key it may be the one that matters, and need WAL that nobody else needs.
        return Err(Error::Refused(format!(
            "backup {} cannot be read, which may be for want of its key: nothing is removed",
            unknown.folder.id
        )));
    }
    run.enter("removing backups");
    let mut pruned = Pruned::default();
    for id in &plan.removed {
        if run.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        let Some(backup) = catalogue.backups.iter().find(|b| b.folder.id == *id) else { continue };
        let deletion = engine.stores.delete_backup(&backup.folder).await;
        if deletion.complete {
            tracing::info!(backup = %id, "a backup that no rule keeps was removed");
            pruned.removed.push(*id);
        } else {
            pruned.left.push(Left {
                id: *id,
                locked_by: deletion.locked.len(),
                failed_in: deletion.failed.len(),
            });
        }
    }
    run.enter("removing WAL");
    // Only what every kept base backup is younger than goes; without one nobody knows.
    let segment_bytes =
        catalogue.backups.iter().find_map(|b| Some(b.manifest.as_ref().ok()?.wal.as_ref()?.segment_bytes));
    // What could not be removed is still there to be restored, and needs its WAL.
    let is_left = |id: Uuid| pruned.left.iter().any(|left| left.id == id);
    let left = catalogue.backups.iter().filter(|backup| is_left(backup.folder.id));
    let needed = left.filter_map(|backup| backup.for_retention(false, false).wal_from);
    let from = plan.wal_from.map(|from| needed.fold(from, Segment::min));
    if let (Some(from), Some(bytes)) = (from, segment_bytes) {
        pruned.wal = crate::wal::prune(engine, from, bytes).await?;
    }
    run.enter("sweeping");
    pruned.unfinished = engine.stores.sweep(&engine.cluster, UNFINISHED_FOR, Utc::now()).await;
    Ok(pruned)
}
