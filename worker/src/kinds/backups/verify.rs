//! `verify_backups`: every object of every store is read and compared, and what is damaged or missing is brought back
//! from a store that has it whole.

use super::{args, count_verification, done, warn_if_unrecorded};
use crate::backups::{Backups, Supervised, job_error};
use crate::body::{Done, JobError};
use crate::context::JobContext;
use ::backup::catalogue::{self, Catalogued};
use ::backup::engine::{Engine, Run};
use ::backup::error::Error;
use ::backup::jobs::VerifyArgs;
use ::backup::records;
use ::backup::verify::{Verified, verify, verify_wal};
use serde::Serialize;
use shared::ids::BackupId;
use shared::store::Store;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// An hourly job should not meet the next one.
const MINUTES_DEFAULT: u32 = 50;

/// The job's result.
#[derive(Debug, Default, Serialize)]
struct Found {
    backups: u64,
    objects: u64,
    /// Read from each store.
    bytes: u64,
    healed: u64,
    lost: Vec<Uuid>,
    /// Whole, but not in every store.
    harmed: Vec<Uuid>,
    /// WAL files that are whole in no store.
    lost_wal_files: Vec<String>,
    /// Not looked at this time: the next job begins with them.
    left: u64,
    /// Stores that did not answer.
    unanswered: Vec<String>,
}

pub(super) async fn run(backups: Backups, context: JobContext) -> Result<Done, JobError> {
    let args: VerifyArgs = args(&context)?;
    args.check().map_err(|why| JobError::Discard { says: why.to_owned() })?;
    let engine = backups.engine().map_err(|error| job_error("opening the stores", &error))?;
    let copies_min = backups.config().copies_min;
    let supervised = Supervised::new(&context, 0);
    let (progress, store) = (supervised.run.clone(), context.store().clone());
    let work = async move { look(&engine, &store, &args, copies_min, &progress).await };
    let found = supervised.perform(work).await.map_err(|error| job_error("verifying", &error))?;
    if !found.lost.is_empty() || !found.lost_wal_files.is_empty() {
        tracing::error!(lost = ?found.lost, wal = ?found.lost_wal_files, "backups are damaged in every store");
    }
    done(&found)
}

async fn look(
    engine: &Engine,
    store: &Store,
    args: &VerifyArgs,
    copies_min: usize,
    run: &Run,
) -> Result<Found, Error> {
    // What a store missed while it was away is not damage.
    engine.stores.synchronise().await.map_err(|error| Error::Stores(shared::chain(&error)))?;
    let catalogue = catalogue::read(engine, None).await?;
    warn_if_unrecorded(records::synchronise(store, &catalogue, copies_min).await);
    let mut found = Found {
        unanswered: catalogue.unanswered.iter().map(|(store, _)| store.to_string()).collect(),
        ..Found::default()
    };
    let minutes = args.minutes_max.unwrap_or(MINUTES_DEFAULT);
    let until = Instant::now() + Duration::from_secs(60 * u64::from(minutes));
    let wanted: Vec<&Catalogued> = match args.backup_id {
        Some(id) => catalogue.backups.iter().filter(|backup| backup.folder.id == id).collect(),
        None => by_age_of_proof(&catalogue.backups, &store.backups_to_verify().await.unwrap_or_default()),
    };
    if let (Some(id), []) = (args.backup_id, wanted.as_slice()) {
        return Err(Error::Refused(format!("no store that answers has a backup {id}")));
    }
    for (index, backup) in wanted.iter().enumerate() {
        if Instant::now() >= until {
            found.left = (wanted.len() - index) as u64;
            break;
        }
        one(engine, store, backup, &mut found, run).await?;
    }
    if args.backup_id.is_none() && found.left == 0 {
        let verified = verify_wal(engine, true, run).await?;
        if verified.objects > 0 {
            found.add(&verified);
            count_verification("digests", verified.is_good());
            found.lost_wal_files = verified.lost;
        }
    }
    Ok(found)
}

async fn one(
    engine: &Engine,
    store: &Store,
    backup: &Catalogued,
    found: &mut Found,
    run: &Run,
) -> Result<(), Error> {
    found.backups += 1;
    let id = backup.folder.id;
    let manifest = match &backup.manifest {
        Ok(manifest) => manifest,
        Err(error) => {
            tracing::error!(backup = %id, error = shared::chain(error), "a manifest cannot be read");
            count_verification("digests", false);
            let lost = Verified {
                backup: id,
                lost: vec![backup.folder.manifest().to_string()],
                ..Verified::default()
            };
            warn_if_unrecorded(records::record_verified(store, &lost).await);
            found.lost.push(id);
            return Ok(());
        }
    };
    let verified = match verify(engine, manifest, true, run).await {
        Ok(verified) => verified,
        // Retention has removed it meanwhile.
        Err(Error::Missing(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    warn_if_unrecorded(records::record_verified(store, &verified).await);
    count_verification("digests", verified.is_good());
    found.add(&verified);
    if !verified.is_good() {
        found.lost.push(id);
    } else if !verified.is_whole_everywhere() {
        found.harmed.push(id);
    }
    Ok(())
}

impl Found {
    fn add(&mut self, verified: &Verified) {
        self.objects += verified.objects;
        self.bytes += verified.bytes;
        self.healed += verified.stores.values().map(|store| store.healed).sum::<u64>();
    }
}

/// First what nobody has looked at, then what was not looked at for the longest time.
fn by_age_of_proof<'c>(backups: &'c [Catalogued], order: &[BackupId]) -> Vec<&'c Catalogued> {
    let places: HashMap<Uuid, usize> = order.iter().enumerate().map(|(at, id)| (id.0, at)).collect();
    let mut sorted: Vec<&Catalogued> = backups.iter().collect();
    sorted.sort_by_key(|backup| places.get(&backup.folder.id).map_or(0, |at| at + 1));
    sorted
}
