//! Workers: they take doorbells from the queue, lease jobs from Postgres, run their bodies and record the
//! outcome together with what the body wrote.
//!
//! [`engine`] is the same for every kind of job; [`kinds`] is the flat list of all a worker can do, one module
//! per kind; [`backups`] is what the kinds of backups share, and looks after records and stores; [`channels`] are the
//! ways by which notifications leave. Start with [`run`].

pub mod backups;
pub mod body;
pub mod channels;
pub mod context;
pub mod engine;
pub mod kinds;

use backups::Backups;
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
    let backups = Backups::new(&config.backup, store.clone());
    let engine = Engine {
        name: worker_name(),
        store,
        queue,
        bodies: kinds::all(config, objects, &backups)?,
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
    // Stops also when an executor died.
    let looking_stop = stop.child_token();
    let looking_after = tokio::spawn(backups.look_after(looking_stop.clone()));
    let ended = engine.run(&kinds, stop).await;
    looking_stop.cancel();
    if let Err(error) = looking_after.await {
        tracing::error!(%error, "looking after backups ended");
    }
    ended
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
