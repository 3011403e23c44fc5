//! FULL: a database as it was, in the place of what is there.

use super::plan::{Facts, InPlace, Plan, Step, Wish, plan_full};
use super::proof::Check;
use super::report::{Report, Stopwatch};
use super::staging::Staging;
use crate::engine::{Engine, Protected, Run};
use crate::error::{Error, Result};
use crate::kinds;
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{Target, clear_restore_mark, close};
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
/// found to be what the manifest says. Call [`acknowledge`] when the result was told: until then the same restore again
/// finds that it is done.
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
    if let Some(in_place) = &plan.in_place {
        return Ok(done_before(planned, in_place, &watch));
    }
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
    let staging =
        Staging { engine, server, manifest, key, owners: plan.owners, jobs: wish.jobs, takes_up: true, run };
    let (scratch, checks) = staging.perform(&mut watch).await?;
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
    scratch.replace(&plan.database, plan.kept_as.as_deref(), plan.backup).await?;
    if let Some(step) = plan.steps.last() {
        watch.done(step);
    }
    report.seconds = watch.seconds();
    report.steps = watch.steps;
    Ok(report)
}

/// Whoever asked for it was told: what restored `database` is forgotten, and the same restore again is a new one.
pub async fn acknowledge(server: &Target, database: &str) -> Result<()> {
    let mut session = server.with_database("postgres").connect().await?;
    clear_restore_mark(&mut session, database).await?;
    close(session).await;
    Ok(())
}

/// What there is to say when it was put in place by a restore that was killed before it could say so.
fn done_before(planned: &Planned, in_place: &InPlace, watch: &Stopwatch) -> Report {
    let Planned { plan, manifest, .. } = planned;
    let detail = format!("proved and put in place at {}", in_place.at.format("%Y-%m-%d %H:%M:%S UTC"));
    Report {
        backup: plan.backup,
        target: Some(plan.database.clone()),
        kept_as: in_place.kept_as.clone(),
        safety_backup: None,
        steps: vec![],
        checks: vec![Check { name: "by the restore before".into(), is_ok: true, detail }],
        rows: manifest.rows(),
        seconds: watch.seconds(),
    }
}
