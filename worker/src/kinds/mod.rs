//! Everything a worker can do, one module per kind of job.

mod clean_up;
mod reconciliation;

use crate::body::Bodies;
use shared::config::Config;
use shared::objects::Objects;
use std::time::Duration;

pub fn all(config: &Config, objects: Objects) -> Bodies {
    let time_limit = Duration::from_secs(config.worker.reconciliation_time_limit_s);
    let retention = Duration::from_secs(config.scheduler.retention_days * 86_400);
    Bodies::default()
        .with(reconciliation::Reconcile { objects, time_limit })
        .with(clean_up::CleanUp { retention })
}
