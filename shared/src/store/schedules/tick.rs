//! Deciding due times: tick, job, doorbell and the next due time in one transaction.

use super::start::{AskedBy, StartError, start};
use super::{COLUMNS, Schedule, Took};
use crate::ids::{JobId, ScheduleId};
use crate::schedule::{PlannedTick, TickOutcome, kinds, plan};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

/// What was decided about one schedule in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticked {
    pub schedule: Schedule,
    /// Oldest first.
    pub ticks: Vec<TickDone>,
}

/// A tick as written.
#[derive(Debug, Clone, PartialEq)]
pub struct TickDone {
    pub due_at: DateTime<Utc>,
    pub outcome: TickOutcome,
    pub job_id: Option<JobId>,
    pub reason: Option<String>,
    pub took: Option<Took>,
}

impl Store {
    /// Schedules that are due, the longest waiting first. Schedules of kinds that this version does not know are left
    /// to a version that does.
    pub async fn due_schedules(
        &self,
        at: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<ScheduleId>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM schedules WHERE next_due_at <= coalesce($1, now()) AND kind = ANY($2)
             ORDER BY next_due_at LIMIT $3",
        )
        .bind(at)
        .bind(known_kinds())
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// How long the schedule that waits longest has been due, seconds; 0 when none is.
    pub async fn schedules_late_s(&self, at: Option<DateTime<Utc>>) -> Result<f64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT coalesce(greatest(0, extract(epoch FROM coalesce($1, now()) - min(next_due_at))), 0)::float8
             FROM schedules",
        )
        .bind(at)
        .fetch_one(self.pool())
        .await?)
    }

    /// Decides every due time of a schedule through now. `None`: another scheduler is at it or was first, or somebody
    /// is changing it; whoever holds it decides.
    ///
    /// Dropped or killed at any point it has happened wholly or not at all.
    pub async fn tick_schedule(
        &self,
        id: ScheduleId,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<Ticked>, StoreError> {
        let mut tx = self.begin().await?;
        let statement = format!(
            "SELECT {COLUMNS}, coalesce($2, now()) AS now FROM schedules
             WHERE id = $1 AND next_due_at <= coalesce($2, now()) FOR UPDATE SKIP LOCKED"
        );
        let found: Option<Locked> =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).bind(at).fetch_optional(&mut *tx).await?;
        let Some(Locked { mut schedule, now }) = found else { return Ok(None) };
        let ticks = decide_due(&mut tx, &mut schedule, now).await?;
        tx.commit().await?;
        Ok(Some(Ticked { schedule, ticks }))
    }
}

/// A schedule whose row is locked, and the time to go by.
#[derive(sqlx::FromRow)]
pub(super) struct Locked {
    #[sqlx(flatten)]
    pub schedule: Schedule,
    pub now: DateTime<Utc>,
}

fn known_kinds() -> Vec<&'static str> {
    kinds::ALL.iter().map(|row| row.kind.as_str()).collect()
}

/// Performs the plan for a schedule whose row the caller has locked, and moves its next due time.
pub(super) async fn decide_due(
    conn: &mut PgConnection,
    schedule: &mut Schedule,
    now: DateTime<Utc>,
) -> Result<Vec<TickDone>, StoreError> {
    let Some(next_due_at) = schedule.next_due_at.filter(|due| *due <= now) else { return Ok(vec![]) };
    let (planned, next_due_at) = match schedule.timing() {
        Ok(timing) => {
            let plan = plan(&timing, schedule.missed_runs, schedule.paused_at.is_some(), next_due_at, now);
            (plan.ticks, plan.next_due_at)
        }
        // Checked when it was stored, perhaps with another tz database. Nothing more happens until somebody mends it.
        Err(error) => {
            let reason = Some(error.to_string());
            let failed =
                PlannedTick { due_at: next_due_at, covers_from: None, outcome: TickOutcome::Failed, reason };
            (vec![failed], None)
        }
    };
    let mut done = Vec::with_capacity(planned.len());
    for tick in planned {
        done.extend(write_tick(conn, schedule, tick).await?);
    }
    sqlx::query("UPDATE schedules SET next_due_at = $2 WHERE id = $1")
        .bind(schedule.id)
        .bind(next_due_at)
        .execute(&mut *conn)
        .await?;
    schedule.next_due_at = next_due_at;
    Ok(done)
}

/// Writes one tick, and the job it asks for. `None`: the due time was decided before (the database's clock has gone
/// back since), and stays as decided.
async fn write_tick(
    conn: &mut PgConnection,
    schedule: &mut Schedule,
    tick: PlannedTick,
) -> Result<Option<TickDone>, StoreError> {
    let mut done = TickDone {
        due_at: tick.due_at,
        outcome: tick.outcome,
        job_id: None,
        reason: tick.reason,
        took: None,
    };
    if done.outcome.has_job() {
        let request_id = Some(format!("schedule-{}-{}", schedule.id, done.due_at.timestamp()));
        // The tick comes first: it is what can be there already.
        let job_id = JobId::new();
        done.job_id = Some(job_id);
        if !insert_tick(conn, schedule, &done, None).await? {
            return Ok(None);
        }
        // A savepoint: a job that cannot be made must not take the other ticks along.
        let mut savepoint = conn.begin().await?;
        match start(&mut savepoint, schedule, job_id, AskedBy::Time, schedule.created_by, request_id).await {
            Ok(None) => savepoint.commit().await?,
            Ok(Some(took)) => {
                savepoint.commit().await?;
                // For the next due time of the same decision.
                schedule.last_took = Some(Json(took.clone()));
                done.took = Some(took);
                amend_tick(conn, schedule, &done).await?;
            }
            Err(StartError::NothingNew(says)) => {
                savepoint.rollback().await?;
                let outcome = TickOutcome::SkippedNothingNew;
                done = TickDone { outcome, job_id: None, reason: Some(says), ..done };
                amend_tick(conn, schedule, &done).await?;
            }
            Err(StartError::Unavailable(error)) => return Err(error),
            Err(StartError::Refused(says)) => {
                savepoint.rollback().await?;
                tracing::error!(
                    schedule_id = %schedule.id, schedule = schedule.name, says, "a schedule could not start its job"
                );
                done = TickDone {
                    outcome: TickOutcome::Failed,
                    job_id: None,
                    reason: Some(format!("no job could be made: {says}")),
                    ..done
                };
                amend_tick(conn, schedule, &done).await?;
            }
        }
        return Ok(Some(done));
    }
    let is_new = insert_tick(conn, schedule, &done, tick.covers_from).await?;
    Ok(is_new.then_some(done))
}

/// `false`: there is a tick of this schedule and due time already.
pub(super) async fn insert_tick(
    conn: &mut PgConnection,
    schedule: &Schedule,
    tick: &TickDone,
    covers_from: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO schedule_ticks (schedule_id, due_at, covers_from, outcome, job_id, reason)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (schedule_id, due_at) DO NOTHING",
    )
    .bind(schedule.id)
    .bind(tick.due_at)
    .bind(covers_from)
    .bind(tick.outcome)
    .bind(tick.job_id)
    .bind(&tick.reason)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// In the transaction that wrote the tick: what came of starting its job.
pub(super) async fn amend_tick(
    conn: &mut PgConnection,
    schedule: &Schedule,
    tick: &TickDone,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE schedule_ticks SET outcome = $3, job_id = $4, reason = $5, took = $6
         WHERE schedule_id = $1 AND due_at = $2",
    )
    .bind(schedule.id)
    .bind(tick.due_at)
    .bind(tick.outcome)
    .bind(tick.job_id)
    .bind(&tick.reason)
    .bind(tick.took.as_ref().map(Json))
    .execute(conn)
    .await?;
    Ok(())
}
