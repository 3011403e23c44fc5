//! Everything a worker can do, one module per kind of job.

mod backups;
mod clean_up;
mod delivery;
mod reconciliation;

use crate::backups::Backups;
use crate::body::Bodies;
use crate::channels::{ChannelError, Channels};
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;
use std::sync::Arc;

/// Fails when a channel is configured in a way that cannot work.
pub fn all(config: &Config, objects: Objects, backups: &Backups) -> Result<Bodies, ChannelError> {
    let policies = config.policies();
    let limit_of = |kind: &JobKind| policies.of(kind).time_limit;
    let channels = Arc::new(Channels::new(config)?);
    let deliver = |kind: JobKind| {
        let time_limit = limit_of(&kind);
        delivery::Deliver { kind, channels: channels.clone(), time_limit }
    };
    let reconcile = reconciliation::Reconcile {
        objects,
        memory_bytes: config.worker.reconciliation_memory_mib.map(|mib| mib << 20),
        temp_dir: config.worker.temp_dir.clone(),
        time_limit: limit_of(&JobKind::RECONCILIATION),
    };
    let bodies = Bodies::default()
        .with(reconcile)
        .with(clean_up::CleanUp { retention: config.retention(), time_limit: limit_of(&JobKind::CLEAN_UP) })
        .with(deliver(JobKind::EMAIL))
        .with(deliver(JobKind::WEBHOOK))
        .with(deliver(JobKind::NOTIFICATION));
    Ok(backups::add(bodies, backups, &policies))
}
