//! What people do to schedules: make, change, pause, resume, run now, remove; and what the product ships.

use super::start::{AskedBy, StartError, start};
use super::tick::{Locked, TickDone, amend_tick, decide_due, insert_tick};
use super::{COLUMNS, SCHEDULES_MAX, Schedule};
use crate::ids::{JobId, ProjectId, ScheduleId, UserId};
use crate::schedule::shipped::{Needs, Shipped};
use crate::schedule::{MissedRuns, TickOutcome, Timing, kinds, shipped};
use crate::store::audit::Note;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

/// A schedule to store. Timing, kind and args have been checked.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    pub id: ScheduleId,
    pub project_id: Option<ProjectId>,
    pub name: String,
    pub kind: String,
    pub args: serde_json::Value,
    /// 0 (last) to 9 (first).
    pub priority: u8,
    pub timing: Timing,
    pub missed_runs: MissedRuns,
    pub is_paused: bool,
    pub created_by: Option<UserId>,
}

/// What to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    pub args: Option<serde_json::Value>,
    pub priority: Option<u8>,
    pub timing: Option<Timing>,
    pub missed_runs: Option<MissedRuns>,
    pub is_paused: Option<bool>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("there is no such schedule")]
    Gone,
    /// Somebody else was faster.
    #[error("the schedule has been changed meanwhile: its version is {version}")]
    Stale { version: i32 },
    /// In this project, or among the system's.
    #[error("there is a schedule of this name")]
    NameTaken,
    #[error("there are {SCHEDULES_MAX} schedules already, which is the most")]
    TooMany,
    #[error("no job could be made: {says}")]
    CannotRun { says: String },
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("schedules_name_unique_in_project" | "schedules_name_unique_in_system") => Self::NameTaken,
            _ => Self::Store(error),
        }
    }
}

impl From<sqlx::Error> for ChangeError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

fn note(schedule: &Schedule) -> Note {
    Note::of(schedule.project_id, "schedule", schedule.id)
}

/// As the audit log keeps it.
fn shown(schedule: &Schedule) -> serde_json::Value {
    json!({
        "name": schedule.name, "kind": schedule.kind, "args": schedule.args, "cron": schedule.cron,
        "time_zone": schedule.time_zone, "priority": schedule.priority, "paused_at": schedule.paused_at,
    })
}

impl Store {
    /// First due at the first occurrence after now.
    pub async fn insert_schedule(
        &self,
        new: &NewSchedule,
        at: Option<DateTime<Utc>>,
    ) -> Result<Schedule, ChangeError> {
        let mut tx = self.begin().await?;
        let schedule = insert_schedule(&mut tx, new, at).await?;
        tx.commit().await?;
        Ok(schedule)
    }

    /// Changes a schedule whose version is `version` (`None`: whatever it is). What is due by now is decided first, by
    /// the definition that was in force.
    pub async fn change_schedule(
        &self,
        id: ScheduleId,
        version: Option<i32>,
        change: &Change,
        at: Option<DateTime<Utc>>,
    ) -> Result<Schedule, ChangeError> {
        let mut tx = self.begin().await?;
        let Locked { schedule, now } = lock(&mut tx, id, at).await?;
        if version.is_some_and(|version| version != schedule.version) {
            return Err(ChangeError::Stale { version: schedule.version });
        }
        let paused_at = match change.is_paused {
            None => schedule.paused_at,
            Some(false) => None,
            Some(true) => schedule.paused_at.or(Some(now)),
        };
        let (cron, time_zone, next_due_at) = match &change.timing {
            None => (schedule.cron.as_str(), schedule.time_zone.as_str(), schedule.next_due_at),
            Some(timing) => (timing.expression.as_str(), timing.zone.name(), timing.next_after(now)),
        };
        let statement = format!(
            "UPDATE schedules SET name = $2, args = $3, priority = $4, cron = $5, time_zone = $6,
                    missed_runs = $7, paused_at = $8, next_due_at = $9, updated_at = now(),
                    version = version + 1
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let changed: Schedule = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .bind(change.name.as_ref().unwrap_or(&schedule.name))
            .bind(change.args.as_ref().unwrap_or(&schedule.args))
            .bind(change.priority.map_or(schedule.priority, i16::from))
            .bind(cron)
            .bind(time_zone)
            .bind(change.missed_runs.unwrap_or(schedule.missed_runs))
            .bind(paused_at)
            .bind(next_due_at)
            .fetch_one(&mut *tx)
            .await?;
        note(&changed).before(shown(&schedule)).after(shown(&changed)).commit(tx).await?;
        Ok(changed)
    }

    /// Runs a schedule at once, paused or not; its next due time stays.
    pub async fn run_schedule_now(
        &self,
        id: ScheduleId,
        asked_by: Option<UserId>,
        request_id: Option<String>,
        at: Option<DateTime<Utc>>,
    ) -> Result<JobId, ChangeError> {
        let mut tx = self.begin().await?;
        let job_id = run_schedule_now(&mut tx, id, asked_by, request_id, at).await?;
        tx.commit().await?;
        Ok(job_id)
    }

    /// Removes a schedule and its ledger; jobs it has started stay. `false`: there was none.
    pub async fn remove_schedule(&self, id: ScheduleId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let statement = format!("DELETE FROM schedules WHERE id = $1 RETURNING {COLUMNS}");
        let removed: Option<Schedule> =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(&mut *tx).await?;
        let Some(removed) = removed else { return Ok(false) };
        note(&removed).before(shown(&removed)).commit(tx).await?;
        Ok(true)
    }

    /// Stores each shipped schedule that was never stored before; returns their names. May run any number of times,
    /// anywhere. Those of backups only with `has_backup_stores`, and so, later, when there are some.
    pub async fn offer_shipped_schedules(
        &self,
        has_backup_stores: bool,
        at: Option<DateTime<Utc>>,
    ) -> Result<Vec<&'static str>, ChangeError> {
        let mut stored = vec![];
        let offered = |shipped: &&Shipped| has_backup_stores || shipped.needs != Needs::BackupStores;
        for shipped in shipped::ALL.iter().filter(offered) {
            let mut tx = self.begin().await?;
            let offered: Option<DateTime<Utc>> = sqlx::query_scalar(
                "INSERT INTO shipped_schedules (key) VALUES ($1) ON CONFLICT (key) DO NOTHING
                 RETURNING coalesce($2, now())",
            )
            .bind(shipped.key)
            .bind(at)
            .fetch_optional(&mut *tx)
            .await?;
            let Some(now) = offered else { continue };
            let timing = Timing::parse(shipped.cron, "UTC").expect("tests parse every shipped schedule");
            let new = NewSchedule {
                id: ScheduleId::new(),
                project_id: None,
                name: shipped.name.to_owned(),
                kind: shipped.kind.as_str().to_owned(),
                args: serde_json::from_str(shipped.args)
                    .expect("tests parse the args of every shipped schedule"),
                priority: kinds::find(shipped.kind.as_str()).map_or(5, |row| row.priority),
                timing,
                missed_runs: shipped.missed_runs,
                is_paused: false,
                created_by: None,
            };
            match insert(&mut tx, &new, Some(shipped.key), now).await {
                Ok(_) => stored.push(shipped.name),
                // Somebody has made one of this name: it is theirs, and ours is taken for offered.
                Err(ChangeError::NameTaken) => {
                    tx.rollback().await?;
                    sqlx::query("INSERT INTO shipped_schedules (key) VALUES ($1) ON CONFLICT DO NOTHING")
                        .bind(shipped.key)
                        .execute(self.pool())
                        .await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            tx.commit().await?;
        }
        Ok(stored)
    }
}

/// As [`Store::insert_schedule`], in the caller's transaction, which after an error can only be rolled back.
pub async fn insert_schedule(
    conn: &mut PgConnection,
    new: &NewSchedule,
    at: Option<DateTime<Utc>>,
) -> Result<Schedule, ChangeError> {
    // One at a time, or two could both be the last that fits.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('insert schedule'))").execute(&mut *conn).await?;
    let (count, now): (i64, DateTime<Utc>) = sqlx::query_as(
        "SELECT count(*), coalesce($2, now()) FROM schedules WHERE project_id IS NOT DISTINCT FROM $1",
    )
    .bind(new.project_id)
    .bind(at)
    .fetch_one(&mut *conn)
    .await?;
    if count >= SCHEDULES_MAX {
        return Err(ChangeError::TooMany);
    }
    let schedule = insert(&mut *conn, new, None, now).await?;
    note(&schedule).after(shown(&schedule)).write(conn).await?;
    Ok(schedule)
}

/// As [`Store::run_schedule_now`], in the caller's transaction, which after an error can only be rolled back.
pub async fn run_schedule_now(
    conn: &mut PgConnection,
    id: ScheduleId,
    asked_by: Option<UserId>,
    request_id: Option<String>,
    at: Option<DateTime<Utc>>,
) -> Result<JobId, ChangeError> {
    let Locked { schedule, now } = lock(&mut *conn, id, at).await?;
    let job_id = JobId::new();
    let mut tick = TickDone {
        due_at: now,
        outcome: TickOutcome::RunNow,
        job_id: Some(job_id),
        reason: None,
        took: None,
    };
    // Due times lie on whole seconds, so this one must not; and two may ask at once.
    loop {
        tick.due_at += chrono::TimeDelta::microseconds(1);
        if insert_tick(&mut *conn, &schedule, &tick, None).await? {
            break;
        }
    }
    match start(&mut *conn, &schedule, job_id, AskedBy::Person, asked_by, request_id).await {
        Ok(took) => {
            if took.is_some() {
                tick.took = took;
                amend_tick(&mut *conn, &schedule, &tick).await?;
            }
            note(&schedule).after(json!({"job_id": job_id})).write(conn).await?;
            Ok(job_id)
        }
        Err(StartError::Unavailable(error)) => Err(error.into()),
        Err(StartError::Refused(says) | StartError::NothingNew(says)) => Err(ChangeError::CannotRun { says }),
    }
}

/// Locks a schedule for a change and decides what is due by now.
async fn lock(
    conn: &mut PgConnection,
    id: ScheduleId,
    at: Option<DateTime<Utc>>,
) -> Result<Locked, ChangeError> {
    let statement =
        format!("SELECT {COLUMNS}, coalesce($2, now()) AS now FROM schedules WHERE id = $1 FOR UPDATE");
    let found: Option<Locked> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).bind(at).fetch_optional(&mut *conn).await?;
    let mut locked = found.ok_or(ChangeError::Gone)?;
    if at.is_none() {
        // now() is from before we waited for the lock.
        locked.now = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(&mut *conn).await?;
    }
    decide_due(conn, &mut locked.schedule, locked.now).await?;
    Ok(locked)
}

async fn insert(
    conn: &mut PgConnection,
    new: &NewSchedule,
    shipped_key: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Schedule, ChangeError> {
    let statement = format!(
        "INSERT INTO schedules (id, project_id, name, kind, args, priority, cron, time_zone, missed_runs,
                                paused_at, next_due_at, shipped_key, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING {COLUMNS}"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(new.id)
        .bind(new.project_id)
        .bind(&new.name)
        .bind(&new.kind)
        .bind(&new.args)
        .bind(i16::from(new.priority))
        .bind(new.timing.expression.as_str())
        .bind(new.timing.zone.name())
        .bind(new.missed_runs)
        .bind(new.is_paused.then_some(now))
        .bind(new.timing.next_after(now))
        .bind(shipped_key)
        .bind(new.created_by)
        .fetch_one(conn)
        .await?)
}
