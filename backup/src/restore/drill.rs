//! A drill: a restore that nobody needs, into a scratch database, to know that it works.

use super::report::{Report, Stopwatch};
use super::staging::Staging;
use crate::engine::{Engine, Run};
use crate::error::Result;
use crate::manifest::read_manifest;
use crate::postgres::Target;
use crate::stores::BackupFolder;

/// Restores a full backup beside everything else, proves it, and removes it again. `Ok` also when a check failed: see
/// [`Report::is_proven`]. `Err` when it could not be restored at all, which is worse.
///
/// `server`: any database of the cluster to use; the one that was backed up, or one kept for drills.
pub async fn perform(engine: &Engine, server: &Target, backup: &BackupFolder, run: &Run) -> Result<Report> {
    let mut watch = Stopwatch::start();
    let (manifest, key) = read_manifest(&engine.stores, backup, &engine.keys).await?;
    let jobs = engine.settings.jobs;
    let staging =
        Staging { engine, server, manifest: &manifest, key: &key, owners: false, jobs, takes_up: false, run };
    let (scratch, checks) = staging.perform(&mut watch).await?;
    scratch.remove().await?;
    Ok(Report {
        backup: manifest.id,
        target: None,
        kept_as: None,
        safety_backup: None,
        rows: manifest.rows(),
        seconds: watch.seconds(),
        steps: watch.steps,
        checks,
    })
}
