//! How an attempt ends: the lease goes back together with the outcome, or neither does.

use super::history::ATTEMPTS_KEPT;
use crate::job::{JobState, Lease};
use crate::store::StoreError;
use sqlx::PgConnection;
use std::time::Duration;

/// What the body of a job decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Finish {
    /// Done. `result` is what a client sees of the job itself; larger results have tables of their own.
    Completed { result: serde_json::Value },
    /// Failed, worth another attempt after `wait`; dead when this was the last.
    Retry { wait: Duration, error: String },
    /// Not now: try again after `wait` without counting this attempt.
    Snooze { wait: Duration, reason: String },
    /// Failed, and another attempt would fail too.
    Dead { error: String },
    /// Stopped on request.
    Cancelled,
    /// The worker is leaving: somebody else may start over at once; the attempt is not counted.
    HandedBack,
}

/// Another worker holds the job by now, or it is finished. What this attempt did must not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost")]
pub struct LeaseLost;

/// Why a release did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ReleaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Finish {
    /// The state asked for, the word in `attempts.outcome`, and whether the attempt counts.
    fn plan(&self, lease: &Lease) -> (JobState, &'static str, bool) {
        match self {
            Finish::Completed { .. } => (JobState::Completed, "completed", true),
            Finish::Retry { .. } if lease.attempt >= lease.attempts_max => (JobState::Dead, "dead", true),
            Finish::Retry { .. } => (JobState::Scheduled, "retried", true),
            Finish::Snooze { .. } => (JobState::Scheduled, "snoozed", false),
            Finish::Dead { .. } => (JobState::Dead, "dead", true),
            Finish::Cancelled => (JobState::Cancelled, "cancelled", true),
            Finish::HandedBack => (JobState::Available, "handed_back", false),
        }
    }
}

/// Records the outcome if `lease` is still the current one, in the caller's transaction; returns the state the
/// job is in afterwards. On an error the caller must roll back.
///
/// A job that somebody wants cancelled does not go back to wait: it becomes *cancelled* instead.
pub async fn release(
    conn: &mut PgConnection,
    lease: &Lease,
    finish: &Finish,
) -> Result<JobState, ReleaseError> {
    let (state, outcome, counted) = finish.plan(lease);
    debug_assert!(JobState::Running.may_become(state));
    let wait_s = match finish {
        Finish::Retry { wait, .. } | Finish::Snooze { wait, .. } => Some(wait.as_secs_f64()),
        _ => None,
    };
    let error = match finish {
        Finish::Retry { error, .. } | Finish::Dead { error } => Some(error.as_str()),
        Finish::Snooze { reason, .. } => Some(reason.as_str()),
        _ => None,
    };
    // PostgreSQL cannot store a zero character, and a reason that cannot be recorded would leave the job stuck.
    let error = error.map(|text| text.replace('\0', "\u{fffd}"));
    let result = match finish {
        Finish::Completed { result } => Some(result),
        _ => None,
    };
    let released: Option<JobState> = sqlx::query_scalar(
        "WITH released AS (
             UPDATE jobs SET
                 state = CASE WHEN cancel_requested_at IS NOT NULL AND $3 IN ('scheduled', 'available')
                              THEN 'cancelled' ELSE $3 END,
                 finished_at = CASE WHEN $3 IN ('completed', 'cancelled', 'dead')
                                      OR cancel_requested_at IS NOT NULL THEN now() END,
                 attempt = attempt - CASE WHEN $5 THEN 0 ELSE 1 END,
                 due_at = coalesce(now() + $6 * interval '1 second', due_at),
                 rung_at = now(),
                 result = $7,
                 error = coalesce($8, CASE WHEN $3 = 'completed' THEN NULL ELSE error END),
                 lease_worker = NULL, lease_expires_at = NULL
             WHERE id = $1 AND fence = $2 AND state = 'running'
             RETURNING id, queue, priority, state, project_id, concurrency_key, due_at, created_at
         ), noted AS (
             UPDATE attempts SET finished_at = now(), outcome = $4::attempt_outcome, error = $8
             WHERE job_id = $1 AND fence = $2 AND EXISTS (SELECT FROM released)
         ), rung AS (
             INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
             SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''),
                    greatest(due_at, created_at)
             FROM released WHERE state = 'available'
         ), forgotten AS (
             DELETE FROM attempts WHERE job_id = $1 AND fence <= $2 - $9
         )
         SELECT state FROM released",
    )
    .bind(lease.job_id)
    .bind(lease.fence)
    .bind(state)
    .bind(outcome)
    .bind(counted)
    .bind(wait_s)
    .bind(result)
    .bind(error)
    .bind(ATTEMPTS_KEPT)
    .fetch_optional(conn)
    .await?;
    Ok(released.ok_or(LeaseLost)?)
}

/// Locks the lease for the rest of the caller's transaction; fails when it is lost. A job body's own writes
/// end with this, so that they die with the lease.
pub async fn confirm(conn: &mut PgConnection, lease: &Lease) -> Result<(), ReleaseError> {
    let ours: Option<bool> = sqlx::query_scalar(
        "SELECT true FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR SHARE",
    )
    .bind(lease.job_id)
    .bind(lease.fence)
    .fetch_optional(conn)
    .await?;
    ours.map(|_| ()).ok_or(LeaseLost.into())
}
