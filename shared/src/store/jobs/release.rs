//! How an attempt ends: the lease goes back together with the outcome, or neither does.

use super::history::ATTEMPTS_KEPT;
use crate::ids::JobId;
use crate::job::{JobState, Lease};
use crate::store::{Store, StoreError};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
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
    /// What went wrong, as it can be stored.
    fn error(&self) -> Option<String> {
        let error = match self {
            Finish::Retry { error, .. } | Finish::Dead { error } => error,
            Finish::Snooze { reason, .. } => reason,
            _ => return None,
        };
        // PostgreSQL cannot store a zero character, and a reason that cannot be recorded would leave the job stuck.
        Some(error.replace('\0', "\u{fffd}"))
    }

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
    let released = record(conn, &[(lease, finish)], &RELEASE).await?;
    Ok(released.get(&lease.job_id).copied().ok_or(LeaseLost)?)
}

/// Records those of the outcomes whose lease is still the current one and whose job nobody else is at: one statement
/// and transaction for all, which waits for nobody. About the others it says nothing; [`release`] does. Of one job
/// there may be one lease in `ended`.
pub async fn release_free(
    store: &Store,
    ended: &[(Arc<Lease>, Finish)],
) -> Result<HashMap<JobId, JobState>, StoreError> {
    let ended: Vec<(&Lease, &Finish)> = ended.iter().map(|(lease, finish)| (&**lease, finish)).collect();
    let mut connection = store.warm_connection().await?;
    let released = record(&mut connection, &ended, &RELEASE_FREE).await?;
    connection.give_back();
    Ok(released)
}

static RELEASE: LazyLock<String> = LazyLock::new(|| RECORD.replace("{whose}", "FOR UPDATE OF jobs"));
static RELEASE_FREE: LazyLock<String> =
    LazyLock::new(|| RECORD.replace("{whose}", "FOR UPDATE OF jobs SKIP LOCKED"));

const RECORD: &str = "
WITH ended AS (
    SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::float8[], $7::jsonb[],
                         $8::text[])
        AS ended (id, fence, next, outcome, is_counted, wait_s, result, error)
), ours AS (
    -- The time of the end: the transaction may have begun with writing results, minutes ago.
    SELECT ended.*, next::job_state AS next_state, clock_timestamp() AS at FROM ended
    JOIN jobs ON jobs.id = ended.id AND jobs.fence = ended.fence AND jobs.state = 'running'
    {whose}
), released AS (
    UPDATE jobs SET
        state = CASE WHEN cancel_requested_at IS NOT NULL AND next_state IN ('scheduled', 'available')
                     THEN 'cancelled' ELSE next_state END,
        finished_at = CASE WHEN next_state IN ('completed', 'cancelled', 'dead')
                             OR cancel_requested_at IS NOT NULL THEN ours.at END,
        attempt = attempt - CASE WHEN is_counted THEN 0 ELSE 1 END,
        due_at = coalesce(ours.at + wait_s * interval '1 second', due_at),
        rung_at = now(),
        -- The last renewal was before the end.
        progress = CASE WHEN next_state = 'completed'
                        THEN progress || jsonb_build_object('percent', 100, 'rows_done', progress->'rows_total')
                        ELSE progress END,
        result = ours.result,
        error = coalesce(ours.error, CASE WHEN next_state = 'completed' THEN NULL ELSE jobs.error END),
        lease_worker = NULL, lease_expires_at = NULL
    FROM ours WHERE jobs.id = ours.id
    RETURNING jobs.id, queue, priority, state, project_id, concurrency_key, due_at, created_at, jobs.fence,
              ours.outcome, ours.error AS says, ours.at
), noted AS (
    UPDATE attempts SET finished_at = released.at, outcome = released.outcome::attempt_outcome, error = released.says
    FROM released WHERE attempts.job_id = released.id AND attempts.fence = released.fence
), rung AS (
    INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key, waiting_since)
    SELECT id, queue, priority, tenant_of(project_id), coalesce(concurrency_key, ''), greatest(due_at, created_at)
    FROM released WHERE state = 'available'
), forgotten AS (
    DELETE FROM attempts USING ended
    WHERE ended.fence > $9 AND attempts.job_id = ended.id AND attempts.fence <= ended.fence - $9
)
SELECT id, state FROM released";

async fn record(
    conn: &mut PgConnection,
    ended: &[(&Lease, &Finish)],
    statement: &'static str,
) -> Result<HashMap<JobId, JobState>, StoreError> {
    let planned: Vec<_> = ended.iter().map(|(lease, finish)| finish.plan(lease)).collect();
    debug_assert!(planned.iter().all(|(state, ..)| JobState::Running.may_become(*state)));
    let wait_s = |finish: &Finish| match finish {
        Finish::Retry { wait, .. } | Finish::Snooze { wait, .. } => Some(wait.as_secs_f64()),
        _ => None,
    };
    let result = |finish: &'_ Finish| match finish {
        Finish::Completed { result } => Some(result.clone()),
        _ => None,
    };
    let rows: Vec<(JobId, JobState)> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(ended.iter().map(|(lease, _)| lease.job_id.0).collect::<Vec<_>>())
        .bind(ended.iter().map(|(lease, _)| lease.fence).collect::<Vec<_>>())
        .bind(planned.iter().map(|(state, ..)| state.as_str()).collect::<Vec<_>>())
        .bind(planned.iter().map(|(_, outcome, _)| *outcome).collect::<Vec<_>>())
        .bind(planned.iter().map(|(.., is_counted)| *is_counted).collect::<Vec<_>>())
        .bind(ended.iter().map(|(_, finish)| wait_s(finish)).collect::<Vec<_>>())
        .bind(ended.iter().map(|(_, finish)| result(finish)).collect::<Vec<_>>())
        .bind(ended.iter().map(|(_, finish)| finish.error()).collect::<Vec<_>>())
        .bind(ATTEMPTS_KEPT)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().collect())
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
