//! `restore_drill`: a backup is restored into a scratch database, compared with its manifest, and removed again.

use super::{args, count_verification, done, warn_if_unrecorded};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::catalogue;
use ::backup::engine::{Engine, Run};
use ::backup::error::Error;
use ::backup::jobs::DrillArgs;
use ::backup::postgres::Target;
use ::backup::records::RestoreLog;
use ::backup::restore::{Report, drill};
use ::backup::stores::{BackupClass, BackupFolder};
use shared::ids::RestoreId;
use shared::store::backups::RestoreMode;
use uuid::Uuid;

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let DrillArgs { backup_id } = args(&context)?;
    let engine = backups.engine().map_err(|error| job_error("opening the stores", &error))?;
    let folder =
        choose(&engine, backup_id).await.map_err(|error| job_error("looking for a backup", &error))?;
    perform(&context, engine, backups.target(), folder, "the schedule of drills").await
}

/// Also for a `restore` job that asks for a drill.
pub(super) async fn perform(
    context: &JobContext,
    engine: Engine,
    server: Target,
    folder: BackupFolder,
    asked_by: &str,
) -> Result<Done, JobError> {
    let mut log = RestoreLog::begin(folder.id, RestoreMode::Drill, None, vec![], false, asked_by);
    log.0.id = RestoreId(context.lease().job_id.0);
    warn_if_unrecorded(context.store().record_restore(&log.0).await);
    let expected = bytes_of(&engine, &folder).await;
    let supervised = Supervised::new(context, expected);
    let progress: Run = supervised.run.clone();
    let work = async move { drill::perform(&engine, &server, &folder, &progress).await };
    let performed = supervised.perform(work).await;
    let failures = performed.as_ref().map(Report::failures).unwrap_or_default();
    log.end(performed.as_ref(), (!failures.is_empty()).then(|| failures.join("; ")));
    if !matches!(performed, Err(Error::Stopped)) {
        count_verification("restore", performed.as_ref().is_ok_and(Report::is_proven));
    }
    warn_if_unrecorded(context.store().record_restore(&log.0).await);
    match performed {
        Ok(report) if report.is_proven() => done(&report),
        // Trying again would find the same.
        Ok(report) => {
            let says = format!("backup {} does not prove good: {}", report.backup, failures.join("; "));
            Err(JobError::Discard { says })
        }
        Err(error) => Err(job_error("the drill", &error)),
    }
}

pub(super) async fn choose(engine: &Engine, asked: Option<Uuid>) -> Result<BackupFolder, Error> {
    if let Some(id) = asked {
        return catalogue::find(engine, &id.to_string()).await;
    }
    let found = catalogue::read(engine, Some(BackupClass::Full)).await?;
    let newest = found.backups.into_iter().find(|backup| backup.manifest.is_ok());
    newest.map(|backup| backup.folder).ok_or_else(|| {
        Error::Refused("no store that answers has a full backup; take one before the drill".into())
    })
}

pub(super) async fn bytes_of(engine: &Engine, folder: &BackupFolder) -> u64 {
    let read = ::backup::manifest::read_manifest(&engine.stores, folder, &engine.keys).await;
    read.map_or(0, |(manifest, _)| manifest.plain_bytes())
}
