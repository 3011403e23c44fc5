//! Jobs, queues and limits.

use super::runs::Attempt;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JobLine {
    pub id: String,
    pub kind: String,
    pub state: String,
    pub attempt: i64,
    pub attempts_max: i64,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub worker: Option<String>,
    pub percent: Option<f64>,
    pub error: Option<String>,
}

impl JobLine {
    pub fn took(&self) -> Option<String> {
        self.finished_at.map(|at| crate::format::duration(at - self.created_at))
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub id: String,
    pub kind: String,
    pub queue: String,
    pub project_id: Option<String>,
    pub batch_id: Option<String>,
    pub state: String,
    pub priority: i64,
    pub attempt: i64,
    pub attempts_max: i64,
    #[serde(default)]
    pub args: Value,
    pub result: Option<Value>,
    pub error: Option<String>,
    pub error_fingerprint: Option<String>,
    pub request_id: Option<String>,
    #[serde(default)]
    pub trace_id: Option<String>,
    pub worker: Option<String>,
    pub lease_expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub attempts: Vec<Attempt>,
    pub history: Vec<History>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct History {
    pub at: DateTime<Utc>,
    pub event: String,
    pub worker: Option<String>,
    pub detail: Option<String>,
}

/// Jobs by state, each counted up to `counted_up_to`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Counts {
    pub counted_up_to: i64,
    pub scheduled: i64,
    pub available: i64,
    pub running: i64,
    pub completed: i64,
    pub cancelled: i64,
    pub dead: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BulkDone {
    pub matched: i64,
    pub changed: i64,
    pub is_complete: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DeadGroup {
    pub fingerprint: String,
    pub kind: String,
    pub jobs: i64,
    pub newest_id: String,
    pub error: String,
    pub oldest_created_at: DateTime<Utc>,
    pub newest_created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Queue {
    pub name: String,
    pub available: i64,
    pub scheduled: i64,
    pub running: i64,
    pub oldest_age_s: f64,
    pub pause: Option<Pause>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Pause {
    pub reason: String,
    pub paused_by: String,
    pub paused_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Limit {
    pub scope: String,
    pub name: String,
    pub jobs_max: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}
