//! Workers: they take doorbells from the queue, lease jobs from Postgres, run their bodies and record the
//! outcome together with what the body wrote.
//!
//! [`engine`] is the same for every kind of job; [`kinds`] is the flat list of all a worker can do, one module
//! per kind; [`channels`] are the ways by which notifications leave. Start with [`run`].

pub mod body;
pub mod channels;
pub mod context;
pub mod engine;
pub mod kinds;

use engine::{Engine, EngineError};
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;
use shared::queue::Queue;
use shared::store::Store;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Serves the configured queues until `stop`, then drains: running jobs may finish within `worker.drain_s`,
/// what is left is handed back uncounted. Returns early only when an executor died, which the caller should
/// treat as fatal.
pub async fn run(
    config: &Config,
    store: Store,
    queue: Queue,
    objects: Objects,
    stop: CancellationToken,
) -> Result<(), EngineError> {
    let engine = Engine {
        name: worker_name(),
        store,
        queue,
        bodies: kinds::all(config, objects)?,
        concurrency: config.worker.concurrency,
        lease_duration: Duration::from_secs(config.worker.lease_s),
        drain: Duration::from_secs(config.worker.drain_s),
        policies: config.policies(),
        stuck_after: STUCK_AFTER,
    };
    let kinds: Vec<JobKind> = if config.worker.queues.is_empty() {
        JobKind::ALL.to_vec()
    } else {
        config.worker.queues.iter().filter_map(|name| JobKind::parse(name)).collect()
    };
    engine.run(&kinds, stop).await
}

/// Blocking work looks at its stop signal many times a second, except in a call to a slow disk.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// Unique for each process that ever runs: a name that is used again would let a dead worker's leases look
/// alive. Readable parts first, for the person who looks for the machine.
fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    let unique = uuid::Uuid::new_v4().simple().to_string();
    let host: String = host.chars().take(40).collect();
    format!("{host}-{}-{}", std::process::id(), &unique[..8])
}
