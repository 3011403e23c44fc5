//! The jobs of backups, one module each: take, verify, prove, remove, restore.

mod configuration;
mod drill;
mod prune;
mod restore;
mod take;
mod verify;

use crate::backups::Backups;
use crate::body::{Bodies, Done, JobBody, JobError};
use crate::context::JobContext;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::job::JobKind;
use shared::policy::Policies;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Adds the bodies of all kinds.
pub(super) fn add(bodies: Bodies, backups: &Backups, policies: &Policies) -> Bodies {
    let body = |kind: JobKind, run: RunBody| Body {
        time_limit: policies.of(&kind).time_limit,
        kind,
        backups: backups.clone(),
        run,
    };
    bodies
        .with(body(JobKind::BACKUP, |b, c| Box::pin(take::run(b, c))))
        .with(body(JobKind::CONFIG_BACKUP, |b, c| Box::pin(configuration::run(b, c))))
        .with(body(JobKind::VERIFY_BACKUPS, |b, c| Box::pin(verify::run(b, c))))
        .with(body(JobKind::RESTORE_DRILL, |b, c| Box::pin(drill::run(b, c))))
        .with(body(JobKind::PRUNE_BACKUPS, |b, c| Box::pin(prune::run(b, c))))
        .with(body(JobKind::RESTORE, |b, c| Box::pin(restore::run(b, c))))
}

type Ran = Pin<Box<dyn Future<Output = Result<Done, JobError>> + Send>>;
type RunBody = fn(Backups, JobContext) -> Ran;

struct Body {
    kind: JobKind,
    time_limit: Duration,
    backups: Backups,
    run: RunBody,
}

impl JobBody for Body {
    fn kind(&self) -> JobKind {
        self.kind.clone()
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        if !self.backups.is_configured() {
            let says = "no backup store is configured (backup.stores) where this worker runs".to_owned();
            return Box::pin(async { Err(JobError::Discard { says }) });
        }
        (self.run)(self.backups.clone(), context)
    }
}

/// The job's args. What cannot be read now cannot be read later.
fn args<T: DeserializeOwned>(context: &JobContext) -> Result<T, JobError> {
    T::deserialize(&context.lease().args)
        .map_err(|error| JobError::Discard { says: format!("the args of the job: {error}") })
}

fn done<T: Serialize>(result: &T) -> Result<Done, JobError> {
    let result = serde_json::to_value(result).map_err(|error| JobError::retry("telling", &error))?;
    Ok(Done::Result(result))
}

/// The stores are the truth: what cannot be written down now, the next verification makes up for.
fn warn_if_unrecorded(recorded: Result<(), shared::store::StoreError>) {
    if let Err(error) = recorded {
        tracing::warn!(error = shared::chain(&error), "not written down in the records of backups");
    }
}

fn count_backup(kind: &'static str, is_ok: bool) {
    let outcome = if is_ok { "completed" } else { "failed" };
    metrics::counter!("counterfoil_backups_total", "kind" => kind, "outcome" => outcome).increment(1);
}

fn count_verification(method: &'static str, has_passed: bool) {
    let outcome = if has_passed { "passed" } else { "failed" };
    metrics::counter!("counterfoil_backup_verifications_total", "method" => method, "outcome" => outcome)
        .increment(1);
}
