//! The processes besides the API, and how much may wait for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The processes that run jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Queues to serve; empty: every kind this version knows.
    pub queues: Vec<String>,
    /// Jobs at once per queue, 1 to 1000. Reconciliations use all cores by themselves: few slots are enough.
    pub concurrency: usize,
    /// A job whose worker is silent for this long is given to another, 2 to 3600 s.
    pub lease_s: u64,
    /// How long running jobs may go on after SIGTERM before they are handed back, 0 to 3600 s.
    pub drain_s: u64,
    /// Where a separate worker process answers `/api/health` and `/api/metrics`; unset: nowhere.
    pub listen: Option<SocketAddr>,
    /// Memory that one reconciliation may take to read and match, about, 128 to 16777216 MiB; texts beyond it go to a temporary file. A job that needs more is dead, and says how much. Unset: all that it needs.
    pub reconciliation_memory_mib: Option<u64>,
    /// Folder for those temporary files, on a disk with room for the texts of both sides. Default: the system's folder for temporary files.
    pub temp_dir: Option<PathBuf>,
}

/// The process that does what time alone makes happen.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// Most doorbells kept waiting in the broker per queue, 1 to 100000. The rest of the backlog stays in
    /// Postgres, where priority still decides.
    pub relay_window: u64,
    /// Fewest doorbells kept waiting there, 1 to 100000: the window follows what workers take, between this and `relay_window`.
    pub relay_window_min: u64,
    /// Waiting that lifts a job by one priority, 1 to 86400 s.
    pub age_step_s: u64,
    /// Period of the relay when nothing wakes it, 10 to 60000 ms.
    pub relay_period_ms: u64,
    /// Period of ticker, stager, rescuer and notifier, 100 to 60000 ms.
    pub period_ms: u64,
    /// Ring again for an available job nobody took, 1 to 3600 s.
    pub ring_again_after_s: u64,
    /// A job is dead when so many of its leases in a row expired, 1 to 100: it seems to kill its workers.
    pub lease_expiries_max: u16,
    /// Finished jobs and results are kept at least this long, 1 to 36500 days.
    pub retention_days: u64,
    /// Where a separate scheduler process answers `/api/health` and `/api/metrics`; unset: nowhere.
    pub listen: Option<SocketAddr>,
}

/// From which point on the API refuses new jobs instead of letting them pile up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backlog {
    /// Most waiting jobs altogether, 1 to 1000000000.
    pub jobs_max: u64,
    /// Most waiting jobs of one project, 1 to 1000000000.
    pub project_jobs_max: u64,
    /// Longest time that the relay may be behind, 1 to 604800 s.
    pub lag_s_max: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            queues: vec![],
            concurrency: 2,
            lease_s: 12,
            drain_s: 30,
            listen: None,
            reconciliation_memory_mib: None,
            temp_dir: None,
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            relay_window: 1000,
            relay_window_min: 16,
            age_step_s: 120,
            relay_period_ms: 100,
            period_ms: 1000,
            ring_again_after_s: 60,
            lease_expiries_max: 3,
            retention_days: 400,
            listen: None,
        }
    }
}

impl Default for Backlog {
    /// A million waiting jobs take about a gigabyte; an hour behind is long after every alarm.
    fn default() -> Self {
        Self { jobs_max: 1_000_000, project_jobs_max: 100_000, lag_s_max: 3600 }
    }
}
