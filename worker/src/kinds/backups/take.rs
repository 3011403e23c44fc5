//! `backup`: the database, the cluster, or tenants, now.

use super::{args, count_backup, done, warn_if_unrecorded};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::error::Error;
use ::backup::jobs::{BackupArgs, BackupWhat};
use ::backup::kinds::tenant::Tenants;
use ::backup::kinds::{Created, full, physical, tenant};
use ::backup::records;
use ::backup::stores::BackupClass;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::Store;
use shared::store::backups::BackupFilter;
use uuid::Uuid;

/// The job's result.
#[derive(Serialize)]
struct Taken {
    backups: Vec<TakenOne>,
}

#[derive(Serialize)]
pub(super) struct TakenOne {
    id: Uuid,
    rows: u64,
    plain_bytes: u64,
    sealed_bytes: u64,
    held_by: Vec<String>,
    /// Stores that get it when they are back.
    owed_to: Vec<String>,
}

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let BackupArgs { kind, tenants, all_tenants, note } = {
        let args: BackupArgs = args(&context)?;
        args.check().map_err(|why| JobError::Discard { says: why.to_owned() })?;
        args
    };
    let class = match kind {
        BackupWhat::Full => BackupClass::Full,
        BackupWhat::Base => BackupClass::Base,
        BackupWhat::Tenant => BackupClass::Tenant,
    };
    let protected = backups.protected().map_err(|error| job_error("opening the stores", &error))?;
    let store = context.store().clone();
    let started_at = Utc::now();
    let expected = if class == BackupClass::Tenant { 0 } else { usual_bytes(&store, class).await };
    let supervised = Supervised::new(&context, expected);
    let progress = supervised.run.clone();
    let work = async move {
        match kind {
            BackupWhat::Full => Ok(vec![(None, full::create(&protected, note, &progress).await)]),
            BackupWhat::Base => Ok(vec![(None, physical::create(&protected, note, &progress).await)]),
            BackupWhat::Tenant => {
                let chosen = if all_tenants { Tenants::All } else { Tenants::These(tenants) };
                let taken = tenant::create(&protected, &chosen, note, &progress).await?;
                Ok(taken.into_iter().map(|(id, taken)| (Some(id), taken)).collect())
            }
        }
    };
    let taken: Vec<(Option<Uuid>, Result<Created, Error>)> = match supervised.perform(work).await {
        Ok(taken) => taken,
        Err(error) => vec![(None, Err(error))],
    };
    let (mut made, mut failed) = (vec![], None);
    for (tenant, taken) in taken {
        match settle(&store, class, tenant, started_at, taken).await {
            Ok(one) => made.push(one),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        // Those that came about stay; a retry takes all of them again, of one moment.
        Some(error) => Err(job_error("the backup", &error)),
        None => done(&Taken { backups: made }),
    }
}

/// Writes down what became of one backup. In too few stores is a failure, though it is kept.
pub(super) async fn settle(
    store: &Store,
    class: BackupClass,
    tenant: Option<Uuid>,
    started_at: DateTime<Utc>,
    taken: Result<Created, Error>,
) -> Result<TakenOne, Error> {
    let created = match taken {
        Ok(created) => created,
        Err(error) => {
            if !matches!(error, Error::Stopped) {
                count_backup(class.as_str(), false);
            }
            warn_if_unrecorded(records::record_failed(store, class, tenant, started_at, &error).await);
            return Err(error);
        }
    };
    warn_if_unrecorded(records::record_created(store, &created).await);
    count_backup(class.as_str(), created.commit.counts);
    if !created.commit.counts {
        return Err(Error::Stores(format!(
            "backup {} is in fewer stores than backup.copies_min; it is kept, and brought to the others when they \
             are back",
            created.manifest.id
        )));
    }
    let names = |stores: &[::backup::stores::StoreName]| stores.iter().map(ToString::to_string).collect();
    Ok(TakenOne {
        id: created.manifest.id,
        rows: created.manifest.rows(),
        plain_bytes: created.manifest.plain_bytes(),
        sealed_bytes: created.manifest.sealed_bytes(),
        held_by: names(&created.commit.held_by),
        owed_to: names(&created.commit.owed_to),
    })
}

/// What the one before went through: a guess at how far this one is.
async fn usual_bytes(store: &Store, class: BackupClass) -> u64 {
    let filter = BackupFilter {
        class: Some(records::kind(class)),
        state: Some(shared::store::backups::BackupState::Committed),
        project_id: None,
    };
    let last = store.backup_lines(&filter, None, 1).await.unwrap_or_default();
    last.first().and_then(|line| line.plain_bytes).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}
