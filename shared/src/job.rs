//! What a job is, and the only table of the states it goes through.

use crate::ids::{JobId, ProjectId, UserId};
use crate::limits::ConcurrencyKey;
use crate::queue::QueueName;
use crate::telemetry::trace::TraceContext;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a job is in its life. Postgres has the same type, `job_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "job_state", rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its due time: submitted for later, or between two attempts. The stager moves it on.
    Scheduled,
    /// May start now; a doorbell is in the outbox or the broker. Unlike *scheduled*, time alone changes
    /// nothing here: a worker takes it.
    Available,
    /// A worker holds its lease. Ends by that worker's hand, or by the rescuer when the lease expires.
    Running,
    /// Done; its results were written in the same transaction. Final.
    Completed,
    /// Stopped because somebody asked. Nothing of it was written. Final.
    Cancelled,
    /// Gave up: a permanent failure, or the last attempt failed. Final until an operator re-drives it.
    Dead,
}

impl JobState {
    pub const ALL: [JobState; 6] =
        [Self::Scheduled, Self::Available, Self::Running, Self::Completed, Self::Cancelled, Self::Dead];

    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Dead)
    }

    /// The table of transitions. Everything that changes `jobs.state` is in [`crate::store::jobs`] and moves
    /// along these arrows only.
    pub fn may_become(self, next: JobState) -> bool {
        use JobState::*;
        matches!(
            (self, next),
            (Scheduled, Available | Cancelled)
                | (Available, Running | Cancelled)
                // A retry or snooze waits in *scheduled*; a hand-back or rescue is *available* at once.
                | (Running, Completed | Scheduled | Available | Cancelled | Dead)
                // Re-driven by an operator.
                | (Dead, Available)
        )
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Dead => "dead",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a job does: names the body that a worker runs. Lower-case letters, digits and `_`, at most 60.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKind(std::borrow::Cow<'static, str>);

impl JobKind {
    pub const RECONCILIATION: JobKind = JobKind(std::borrow::Cow::Borrowed("reconciliation"));

    /// Removes what is past its retention.
    pub const CLEAN_UP: JobKind = JobKind(std::borrow::Cow::Borrowed("clean_up"));

    /// Sends a notification by mail.
    pub const EMAIL: JobKind = JobKind(std::borrow::Cow::Borrowed("email"));

    /// Sends a notification to another system's address.
    pub const WEBHOOK: JobKind = JobKind(std::borrow::Cow::Borrowed("webhook"));

    /// Sends a notification over a service of the operator's: SMS, Slack, PagerDuty.
    pub const NOTIFICATION: JobKind = JobKind(std::borrow::Cow::Borrowed("notification"));

    /// Takes a backup of the database, the cluster, or tenants.
    pub const BACKUP: JobKind = JobKind(std::borrow::Cow::Borrowed("backup"));

    /// Takes a backup of what operators have set.
    pub const CONFIG_BACKUP: JobKind = JobKind(std::borrow::Cow::Borrowed("config_backup"));

    /// Reads what the stores hold, and brings back what is damaged.
    pub const VERIFY_BACKUPS: JobKind = JobKind(std::borrow::Cow::Borrowed("verify_backups"));

    /// Restores a backup into a scratch database, to know that it works.
    pub const RESTORE_DRILL: JobKind = JobKind(std::borrow::Cow::Borrowed("restore_drill"));

    /// Removes backups that no rule keeps.
    pub const PRUNE_BACKUPS: JobKind = JobKind(std::borrow::Cow::Borrowed("prune_backups"));

    /// Restores a backup, or says what restoring it would do.
    pub const RESTORE: JobKind = JobKind(std::borrow::Cow::Borrowed("restore"));

    /// Every kind this version ships, hence every queue a worker serves unless told otherwise.
    pub const ALL: [JobKind; 11] = [
        Self::RECONCILIATION,
        Self::CLEAN_UP,
        Self::EMAIL,
        Self::WEBHOOK,
        Self::NOTIFICATION,
        Self::BACKUP,
        Self::CONFIG_BACKUP,
        Self::VERIFY_BACKUPS,
        Self::RESTORE_DRILL,
        Self::PRUNE_BACKUPS,
        Self::RESTORE,
    ];

    /// For kinds known when the program is built; panics on a malformed name.
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_kind_name(name.as_bytes()), "a job kind is [a-z][a-z0-9_]{{0,59}}");
        JobKind(std::borrow::Cow::Borrowed(name))
    }

    pub fn parse(name: &str) -> Option<Self> {
        is_kind_name(name.as_bytes()).then(|| JobKind(name.to_owned().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One queue per kind, of the same name.
    pub fn queue(&self) -> QueueName {
        QueueName::parse(&self.0).expect("every job kind is a queue name")
    }
}

const fn is_kind_name(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 60 || !name[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 1;
    while i < name.len() {
        if !(name[i].is_ascii_lowercase() || name[i].is_ascii_digit() || name[i] == b'_') {
            return false;
        }
        i += 1;
    }
    true
}

impl TryFrom<String> for JobKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("{name:?} is not a job kind"))
    }
}

impl From<JobKind> for String {
    fn from(kind: JobKind) -> String {
        kind.0.into_owned()
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job to accept.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    pub project_id: Option<ProjectId>,
    /// 0 (last) to 9 (first).
    pub priority: u8,
    /// At most one job of a key runs at once, unless a limit says otherwise.
    pub concurrency_key: Option<ConcurrencyKey>,
    pub args: serde_json::Value,
    /// `None`: at once.
    pub due_at: Option<DateTime<Utc>>,
    /// 1 to 100.
    pub attempts_max: u16,
    pub created_by: Option<UserId>,
    pub request_id: Option<String>,
}

/// The right to run one attempt and to record its outcome, while it lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    pub job_id: JobId,
    pub kind: JobKind,
    pub project_id: Option<ProjectId>,
    /// The lease token: writes with an older one are refused.
    pub fence: i64,
    /// This attempt's number, from 1.
    pub attempt: u16,
    pub attempts_max: u16,
    pub args: serde_json::Value,
    pub request_id: Option<String>,
    /// The span that accepted it.
    pub trace: Option<TraceContext>,
    /// How long the job waited from its due time to this lease.
    pub waited: Duration,
}

/// How a running job looks from outside. Written with each lease renewal, never needed for correctness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// What it is doing: "reading left", "pass 2: amount and date", "writing results".
    pub phase: String,
    /// 0 to 100, never decreasing within one attempt.
    pub percent: f32,
    pub rows_done: u64,
    pub rows_total: u64,
}

/// When the next attempt may start after a failed one: exponential, capped, with jitter so that jobs that
/// failed together do not return together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Wait after the first failure; doubles with each further one.
    pub base: Duration,
    pub cap: Duration,
    /// Share of the wait that is random, 0 to 1.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    /// 5 s, 10 s, 20 s … 15 min, ±10 %: a restart of a dependency is survived within the first few attempts
    /// of the default five; a best guess, not measured.
    fn default() -> Self {
        Self { base: Duration::from_secs(5), cap: Duration::from_secs(15 * 60), jitter: 0.1 }
    }
}

impl RetryPolicy {
    /// The wait after failed attempt number `attempt` (from 1); `random` in [0, 1) decides the jitter.
    pub fn wait_after(&self, attempt: u16, random: f64) -> Duration {
        let doublings = u32::from(attempt.saturating_sub(1)).min(30);
        let wait = self.base.saturating_mul(1 << doublings).min(self.cap);
        wait.mul_f64(1.0 + self.jitter * (2.0 * random - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_end_the_job_except_for_a_re_drive() {
        for from in JobState::ALL {
            for to in JobState::ALL {
                if from.is_final() {
                    assert_eq!(from.may_become(to), from == JobState::Dead && to == JobState::Available);
                }
                assert!(!(from == to && from.may_become(to)), "{from} to itself");
            }
        }
        assert!(!JobState::Available.may_become(JobState::Completed), "only a lease holder completes");
    }

    #[test]
    fn retries_wait_twice_as_long_each_time_up_to_the_cap() {
        let policy = RetryPolicy { jitter: 0.0, ..Default::default() };
        let waits: Vec<u64> = (1..=10).map(|n| policy.wait_after(n, 0.5).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(policy.wait_after(u16::MAX, 0.0), policy.cap);
    }

    #[test]
    fn jitter_spreads_the_wait_by_its_share_only() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait_after(1, 0.0), Duration::from_millis(4500));
        assert!(policy.wait_after(1, 0.999) < Duration::from_millis(5500));
    }

    #[test]
    fn kinds_are_plain_names() {
        for good in ["reconciliation", "a", "x_1"] {
            assert!(JobKind::parse(good).is_some(), "{good}");
        }
        for bad in ["", "A", "1a", "a-b", "a b", &"x".repeat(61)] {
            assert!(JobKind::parse(bad).is_none(), "{bad:?}");
        }
    }
}
