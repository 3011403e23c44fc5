//! `restore`: what somebody asked for by the API. Nothing here replaces the database that the job itself is kept in:
//! for that there is the shell, which works when all else is gone.

use super::{args, done, drill, warn_if_unrecorded};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::catalogue;
use ::backup::engine::Engine;
use ::backup::error::Error;
use ::backup::jobs::{PointWanted, RestoreArgs, RestoreWhat};
use ::backup::kinds::tenant::Tenants;
use ::backup::postgres::Target;
use ::backup::records::RestoreLog;
use ::backup::restore::full::{Planned, acknowledge, perform as perform_full, plan as plan_full};
use ::backup::restore::merge::{self, MergeWish};
use ::backup::restore::plan::Wish;
use ::backup::restore::point_in_time::{self, Until};
use ::backup::stores::BackupClass;
use ::backup::wal;
use serde_json::{Value, json};
use shared::ids::RestoreId;
use shared::store::backups::RestoreMode;
use uuid::Uuid;

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let RestoreArgs { mode, asked_by, dry_run } = args(&context)?;
    let engine = backups.engine().map_err(|error| job_error("opening the stores", &error))?;
    let server = backups.target();
    let (backup_id, record_mode, target, tenants) = match &mode {
        RestoreWhat::Drill { backup_id } if !dry_run => {
            let folder = drill::choose(&engine, Some(*backup_id)).await;
            let folder = folder.map_err(|error| job_error("looking for the backup", &error))?;
            return drill::perform(&context, engine, server, folder, &asked_by).await;
        }
        RestoreWhat::Drill { backup_id } => (*backup_id, RestoreMode::Drill, None, vec![]),
        RestoreWhat::Full { backup_id, database } => {
            (*backup_id, RestoreMode::Full, Some(database.clone()), vec![])
        }
        RestoreWhat::Merge { backup_id, tenants, .. } => {
            (*backup_id, RestoreMode::Merge, Some(server.database().to_owned()), tenants.clone())
        }
        RestoreWhat::PointInTime { .. } => (Uuid::nil(), RestoreMode::PointInTime, None, vec![]),
    };
    let mut log = RestoreLog::begin(backup_id, record_mode, target, tenants, dry_run, &asked_by);
    log.0.id = RestoreId(context.lease().job_id.0);
    warn_if_unrecorded(context.store().record_restore(&log.0).await);
    let supervised = Supervised::new(&context, 0);
    let progress = supervised.run.clone();
    let (restored, reached) =
        (log.0.target.clone().filter(|_| record_mode == RestoreMode::Full), server.clone());
    let work = async move {
        match mode {
            RestoreWhat::Drill { backup_id } => {
                let wish =
                    Wish { database: Some(format!("drill_{}", backup_id.simple())), ..Wish::default() };
                shown(&planned(&engine, &server, backup_id, wish).await?)
            }
            RestoreWhat::Full { backup_id, database } => {
                let wish = Wish { database: Some(database.clone()), ..Wish::default() };
                let planned = planned(&engine, &server, backup_id, wish).await?;
                if planned.plan.kept_as.is_some() {
                    return Err(Error::Refused(format!(
                        "there is a database {database:?} already: choose another name, or replace it at a shell \
                         (counterfoil restore full)"
                    )));
                }
                if dry_run {
                    return shown(&planned);
                }
                json_of(&perform_full(&engine, &server, &planned, None, &progress).await?)
            }
            RestoreWhat::Merge { backup_id, tenants, policy } => {
                let tenants = if tenants.is_empty() { Tenants::All } else { Tenants::These(tenants) };
                let wish = MergeWish { tenants, policy, dry_run, without_safety_backup: false };
                let folder = catalogue::find(&engine, &backup_id.to_string()).await?;
                // The API has asked for the name of the database before it took the job.
                let confirm = server.database().to_owned();
                let merged =
                    merge::perform(&engine, &server, &folder, &wish, Some(&confirm), &progress).await?;
                json_of(&merged)
            }
            RestoreWhat::PointInTime { until } => plan_point(&engine, until).await,
        }
    };
    let performed = supervised.perform(work).await;
    log.end(performed.as_ref(), None);
    if let (RestoreMode::PointInTime, Ok(plan)) = (log.0.mode, &performed)
        && let Some(id) = plan["backup"].as_str().and_then(|id| id.parse().ok())
    {
        log.0.backup_id = shared::ids::BackupId(id);
    }
    warn_if_unrecorded(context.store().record_restore(&log.0).await);
    if let (Ok(_), Some(database), false) = (&performed, restored, dry_run)
        && let Err(error) = acknowledge(&reached, &database).await
    {
        tracing::warn!(
            error = shared::chain(&error),
            database,
            "it still says that nobody was told of its restore"
        );
    }
    done(&performed.map_err(|error| job_error("the restore", &error))?)
}

async fn planned(engine: &Engine, server: &Target, backup: Uuid, wish: Wish) -> Result<Planned, Error> {
    let folder = catalogue::find(engine, &backup.to_string()).await?;
    if folder.class != BackupClass::Full {
        let class = folder.class.as_str();
        return Err(Error::Refused(format!(
            "backup {backup} is a {class} backup, and this takes a full one"
        )));
    }
    plan_full(engine, server, &folder, wish).await
}

fn shown(planned: &Planned) -> Result<Value, Error> {
    let steps: Vec<String> = planned.plan.steps.iter().map(ToString::to_string).collect();
    Ok(json!({
        "backup": planned.plan.backup, "taken_at": planned.plan.taken_at, "database": planned.plan.database,
        "steps": steps, "notes": planned.plan.notes, "sealed_bytes": planned.plan.sealed_bytes,
        "plain_bytes": planned.plan.plain_bytes,
    }))
}

async fn plan_point(engine: &Engine, until: PointWanted) -> Result<Value, Error> {
    let until = match until {
        PointWanted::Latest => Until::Latest,
        PointWanted::Time(at) => Until::Time(at),
        PointWanted::Lsn(lsn) => {
            Until::Lsn(lsn.parse().map_err(|_| Error::Refused(format!("{lsn:?} is no position in the WAL")))?)
        }
    };
    let found = catalogue::read(engine, Some(BackupClass::Base)).await?;
    let segment_bytes =
        found.backups.iter().find_map(|b| Some(b.manifest.as_ref().ok()?.wal.as_ref()?.segment_bytes));
    let segment_bytes =
        segment_bytes.ok_or_else(|| Error::Refused("no store that answers has a base backup".into()))?;
    let coverage = wal::read_coverage(&engine.stores, &engine.cluster, segment_bytes).await?;
    let plan = point_in_time::plan(&found, &coverage, &until, None).map_err(Error::Refused)?;
    let steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    Ok(json!({
        "backup": plan.manifest.id, "taken_at": plan.manifest.taken_at(), "until": plan.until.to_string(),
        "steps": steps, "notes": plan.notes, "sealed_bytes": plan.manifest.sealed_bytes(),
    }))
}

fn json_of<T: serde::Serialize>(value: &T) -> Result<Value, Error> {
    serde_json::to_value(value)
        .map_err(|error| Error::Io { doing: "telling what was done".into(), source: error.into() })
}
