//! Everything a worker can do, one module per kind of job.

mod reconciliation;

use crate::body::Bodies;
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;

pub fn all(config: &Config, objects: Objects) -> Bodies {
    let time_limit = config.policies().of(&JobKind::RECONCILIATION).time_limit;
    Bodies::default().with(reconciliation::Reconcile { objects, time_limit })
}
