//! `config_backup`: what operators have set.

use super::take::settle;
use super::{args, done};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::jobs::ConfigBackupArgs;
use ::backup::kinds::configuration;
use ::backup::stores::BackupClass;
use chrono::Utc;

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let ConfigBackupArgs { note } = args(&context)?;
    let protected = backups.protected().map_err(|error| job_error("opening the stores", &error))?;
    let started_at = Utc::now();
    let supervised = Supervised::new(&context, 0);
    let progress = supervised.run.clone();
    let work = async move { configuration::create(&protected, note, &progress).await };
    let taken = supervised.perform(work).await;
    let one = settle(context.store(), BackupClass::Configuration, None, started_at, taken).await;
    done(&one.map_err(|error| job_error("the backup of the configuration", &error))?)
}
