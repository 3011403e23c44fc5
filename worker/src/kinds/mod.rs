//! Everything a worker can do, one module per kind of job.

mod backups;
mod clean_up;
mod reconciliation;

use crate::backups::Backups;
use crate::body::Bodies;
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;

pub fn all(config: &Config, objects: Objects, backups: &Backups) -> Bodies {
    let policies = config.policies();
    let limit_of = |kind: &JobKind| policies.of(kind).time_limit;
    let bodies = Bodies::default()
        .with(reconciliation::Reconcile { objects, time_limit: limit_of(&JobKind::RECONCILIATION) })
        .with(clean_up::CleanUp { retention: config.retention(), time_limit: limit_of(&JobKind::CLEAN_UP) });
    backups::add(bodies, backups, &policies)
}
