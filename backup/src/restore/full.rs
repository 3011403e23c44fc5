//! FULL: a database as it was, in the place of what is there.

use super::plan::{Facts, Plan, Step, Wish, plan_full};
use super::proof::{Check, prove};
use super::report::{Report, Stopwatch};
use crate::engine::{Engine, Protected, Run};
use crate::error::{Error, Result};
use crate::kinds::full::{STREAM, load, read_tar, unpack_dir};
use crate::kinds::{self, stream};
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{ScratchDatabase, ScratchDir, Target};
use crate::seal::DataKey;
use crate::stores::BackupFolder;
use chrono::Utc;

/// A full backup, found and opened, with what would be done with it. Nothing was touched yet.
pub struct Planned {
    pub plan: Plan,
    pub manifest: Manifest,
    key: DataKey,
    wish: Wish,
}

/// Reads the manifest and the cluster, and plans. `server`: any database of the cluster to restore into.
pub async fn plan(engine: &Engine, server: &Target, backup: &BackupFolder, wish: Wish) -> Result<Planned> {
    let (manifest, key) = read_manifest(&engine.stores, backup, &engine.keys).await?;
    let database = wish.database.clone().unwrap_or_else(|| manifest.of.database.clone());
    let facts = Facts::read(server, &database).await?;
    let wish = Wish { jobs: engine.settings.jobs, ..wish };
    let plan = plan_full(&manifest, &facts, &wish, Utc::now()).map_err(|against| {
        Error::Refused(format!("this backup cannot be restored here: {}", against.join("; ")))
    })?;
    Ok(Planned { plan, manifest, key, wish })
}

/// Performs the plan. What is there is replaced only when `confirm` is its name; and only after what replaces it was
/// found to be what the manifest says.
pub async fn perform(
    engine: &Engine,
    server: &Target,
    planned: &Planned,
    confirm: Option<&str>,
    run: &Run,
) -> Result<Report> {
    let Planned { plan, manifest, key, wish } = planned;
    if plan.kept_as.is_some() && confirm != Some(&plan.database) {
        return Err(Error::Refused(format!(
            "there is a database {:?}; to replace it, confirm by giving its name exactly",
            plan.database
        )));
    }
    let mut watch = Stopwatch::start();
    let mut safety_backup = None;
    if let Some(step @ Step::SafetyBackup { database }) = plan.steps.first() {
        run.enter("taking a backup of what is there");
        let live = Protected { engine: engine.clone(), target: server.with_database(database) };
        let note = format!("before backup {} was restored", plan.backup);
        let taken = kinds::full::create(&live, Some(note), run).await.map_err(|error| match error {
            Error::Stopped => Error::Stopped,
            error => Error::Refused(format!(
                "no backup could be taken of {database} as it is ({}); nothing was touched. Restore without a \
                 safety backup only if what is there is worth nothing",
                shared::chain(&error)
            )),
        })?;
        safety_backup = Some(taken.manifest.id);
        watch.done(step);
    }
    let (scratch, checks) =
        stage(engine, server, manifest, key, plan.owners, wish.jobs, run, &mut watch).await?;
    let mut report = Report {
        backup: plan.backup,
        target: Some(plan.database.clone()),
        kept_as: plan.kept_as.clone(),
        safety_backup,
        steps: vec![],
        checks,
        rows: manifest.rows(),
        seconds: 0.0,
    };
    if !report.is_proven() {
        let failures = report.failures();
        scratch.remove().await?;
        return Err(Error::Differs(failures));
    }
    if run.stop.is_cancelled() {
        scratch.remove().await?;
        return Err(Error::Stopped);
    }
    run.enter("swapping");
    scratch.replace(&plan.database, plan.kept_as.as_deref().unwrap_or_default()).await?;
    if let Some(step) = plan.steps.last() {
        watch.done(step);
    }
    report.seconds = watch.seconds();
    report.steps = watch.steps;
    Ok(report)
}

/// Fetches a full backup into a scratch database and looks at it. When it fails, the scratch database is gone.
#[expect(clippy::too_many_arguments, reason = "the parts of a plan, taken apart by two callers")]
pub(super) async fn stage(
    engine: &Engine,
    server: &Target,
    manifest: &Manifest,
    key: &DataKey,
    owners: bool,
    jobs: usize,
    run: &Run,
    watch: &mut Stopwatch,
) -> Result<(ScratchDatabase, Vec<Check>)> {
    let [fetch, loading, proving] = super::plan::staging(manifest, jobs);
    run.enter("fetching");
    let scratch_dir = ScratchDir::create(&engine.settings.scratch_dir)?;
    let dir = unpack_dir(&scratch_dir)?;
    let into = dir.clone();
    let note = manifest.stream(STREAM)?;
    stream::open_stream(&engine.stores, manifest.id, note, key, run, move |plain| read_tar(plain, &into))
        .await?;
    watch.done(&fetch);

    run.enter("loading");
    let scratch = ScratchDatabase::create(server, &manifest.of).await?;
    let loaded = async {
        load(&dir, &scratch.target, manifest.of.server_major, jobs, owners, run).await?;
        drop(scratch_dir);
        watch.done(&loading);
        let checks = prove(&scratch.target, manifest, jobs, run).await?;
        watch.done(&proving);
        Ok(checks)
    };
    match loaded.await {
        Ok(checks) => Ok((scratch, checks)),
        Err(error) => {
            if let Err(error) = scratch.remove().await {
                tracing::warn!(error = %shared::chain(&error), "a scratch database stays until the next sweep");
            }
            Err(error)
        }
    }
}
