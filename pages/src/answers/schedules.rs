//! Schedules and their ticks.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ScheduleLine {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub cron: String,
    pub time_zone: String,
    pub paused: bool,
    pub next_due_at: Option<DateTime<Utc>>,
    pub last_due_at: Option<DateTime<Utc>>,
    pub last_outcome: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Schedule {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub args: Value,
    pub priority: i64,
    pub cron: String,
    pub time_zone: String,
    pub missed_runs: String,
    pub paused: bool,
    pub paused_at: Option<DateTime<Utc>>,
    pub shipped: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DueTime {
    pub due_at: DateTime<Utc>,
    pub local: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Tick {
    pub due_at: DateTime<Utc>,
    pub outcome: String,
    pub job_id: Option<String>,
    pub reason: Option<String>,
    pub took: Option<Took>,
}

/// The files of a run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Took {
    pub left: TookFile,
    pub right: TookFile,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TookFile {
    pub file_name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct StartedRun {
    pub job_id: String,
}
