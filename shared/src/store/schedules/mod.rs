//! Schedules and the ledger of their ticks.
//!
//! [`tick`] decides due times, [`change`] is what people do, [`history`] is what they read; [`start`] makes the job of
//! a tick, of the files that [`takes`] finds. Every change of a schedule holds its row's lock and decides what is due
//! before it changes anything, so no due time falls between two definitions.
//!
//! The time is the database's `now()`, the one clock that all schedulers share: a process whose own clock jumps neither
//! doubles nor misses anything. Should the database's clock jump (a failover), a due time may be decided early or late,
//! never twice: the ledger has one tick per schedule and due time. Functions take `at` for tests that live in another
//! time; `None` is the database's.

mod change;
mod history;
mod start;
mod takes;
mod tick;

pub use change::{Change, ChangeError, NewSchedule, insert_schedule, run_schedule_now};
pub use history::Tick;
pub use takes::{Took, TookFile};
pub use tick::Ticked;

use super::{Store, StoreError};
use crate::ids::{ProjectId, ScheduleId, UserId};
use crate::schedule::{MissedRuns, TickOutcome, Timing, timing::TimingError};
use chrono::{DateTime, Utc};
use sqlx::types::Json;

/// Schedules of one project, and of the system.
pub const SCHEDULES_MAX: i64 = 200;

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Schedule {
    pub id: ScheduleId,
    /// `None` for the system's own.
    pub project_id: Option<ProjectId>,
    pub name: String,
    pub kind: String,
    pub args: serde_json::Value,
    pub priority: i16,
    pub cron: String,
    pub time_zone: String,
    pub missed_runs: MissedRuns,
    pub paused_at: Option<DateTime<Utc>>,
    /// `None`: never again.
    pub next_due_at: Option<DateTime<Utc>>,
    pub shipped_key: Option<String>,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// One more with each change by a person.
    pub version: i32,
    /// The files of the last run of a reconciliation.
    pub last_took: Option<Json<Took>>,
}

/// A schedule in a list, with what became of its newest due time.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ScheduleLine {
    #[sqlx(flatten)]
    pub schedule: Schedule,
    pub last_due_at: Option<DateTime<Utc>>,
    pub last_outcome: Option<TickOutcome>,
}

/// Columns of [`Schedule`].
const COLUMNS: &str = "id, project_id, name, kind, args, priority, cron, time_zone, missed_runs, paused_at,
    next_due_at, shipped_key, created_by, created_at, updated_at, version, last_took";

impl Schedule {
    pub fn timing(&self) -> Result<Timing, TimingError> {
        Timing::parse(&self.cron, &self.time_zone)
    }
}

impl Store {
    pub async fn schedule(&self, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM schedules WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// By name, whatever its letter case.
    pub async fn schedule_named(
        &self,
        project_id: Option<ProjectId>,
        name: &str,
    ) -> Result<Option<Schedule>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM schedules WHERE project_id IS NOT DISTINCT FROM $1 AND lower(name) = lower($2)"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(project_id)
            .bind(name)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Schedules of a project, or (`None`) of the system: newest first, those older than `after`, at most `limit`.
    pub async fn schedules(
        &self,
        project_id: Option<ProjectId>,
        after: Option<ScheduleId>,
        limit: u32,
    ) -> Result<Vec<ScheduleLine>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS}, last.due_at AS last_due_at, last.outcome AS last_outcome
             FROM schedules
             LEFT JOIN LATERAL (
                 SELECT due_at, outcome FROM schedule_ticks
                 WHERE schedule_id = schedules.id ORDER BY due_at DESC LIMIT 1
             ) AS last ON true
             WHERE project_id IS NOT DISTINCT FROM $1 AND ($2::uuid IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(project_id)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }
}
