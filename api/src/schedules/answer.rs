//! Schedules as they are shown, and why a change was refused.

use super::body::MissedRunsWord;
use crate::problem::{Mistake, Problem, ProblemKind};
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use shared::schedule::TickOutcome;
use shared::store::schedules::{ChangeError, Schedule, Took, TookFile};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleAnswer {
    id: Uuid,
    /// Null for the system's own.
    project_id: Option<Uuid>,
    name: String,
    kind: String,
    #[schema(value_type = Object)]
    args: serde_json::Value,
    priority: i16,
    cron: String,
    time_zone: String,
    missed_runs: MissedRunsWord,
    paused: bool,
    paused_at: Option<DateTime<Utc>>,
    /// Null: never again. While paused, the next time that will be skipped.
    next_due_at: Option<DateTime<Utc>>,
    /// The same on the clock of the zone.
    next_due_local: Option<String>,
    /// Whether it came with the product.
    shipped: bool,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// To be sent along with a change.
    version: i32,
    /// The files of the last run of a reconciliation; one that takes the newest waits for newer ones.
    last_took: Option<TookAnswer>,
}

/// The files of a run.
#[derive(Serialize, ToSchema)]
#[schema(as = Took)]
pub(crate) struct TookAnswer {
    left: TookFileAnswer,
    right: TookFileAnswer,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TookFile)]
pub(crate) struct TookFileAnswer {
    /// By which it is read: that of the args, or one made for this file with the same mapping.
    source_id: Uuid,
    /// It may have been deleted since.
    file_id: Uuid,
    file_name: String,
}

impl From<Took> for TookAnswer {
    fn from(took: Took) -> Self {
        let file = |file: TookFile| TookFileAnswer {
            source_id: file.source_id.0,
            file_id: file.file_id.0,
            file_name: file.file_name,
        };
        Self { left: file(took.left), right: file(took.right) }
    }
}

impl From<Schedule> for ScheduleAnswer {
    fn from(schedule: Schedule) -> Self {
        let zone: Option<Tz> = schedule.time_zone.parse().ok();
        Self {
            id: schedule.id.0,
            project_id: schedule.project_id.map(|id| id.0),
            name: schedule.name,
            kind: schedule.kind,
            args: schedule.args,
            priority: schedule.priority,
            cron: schedule.cron,
            time_zone: schedule.time_zone,
            missed_runs: schedule.missed_runs.into(),
            paused: schedule.paused_at.is_some(),
            paused_at: schedule.paused_at,
            next_due_at: schedule.next_due_at,
            next_due_local: schedule.next_due_at.zip(zone).map(|(at, zone)| local(at, zone)),
            shipped: schedule.shipped_key.is_some(),
            created_by: schedule.created_by.map(|id| id.0),
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
            version: schedule.version,
            last_took: schedule.last_took.map(|took| took.0.into()),
        }
    }
}

/// `2026-03-29T03:00:00+02:00`.
pub(super) fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// What became of a due time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TickOutcome)]
pub(crate) enum OutcomeWord {
    /// A job was started.
    Fired,
    /// Somebody asked for a run.
    RunNow,
    /// Too late; one later run made up for it.
    Coalesced,
    /// Too late, and not made up for.
    SkippedMissed,
    /// The schedule was paused.
    SkippedPaused,
    /// No job could be made.
    Failed,
    /// It takes the newest files, and there was none that the last run had not taken.
    SkippedNothingNew,
}

impl From<TickOutcome> for OutcomeWord {
    fn from(outcome: TickOutcome) -> Self {
        match outcome {
            TickOutcome::Fired => Self::Fired,
            TickOutcome::RunNow => Self::RunNow,
            TickOutcome::Coalesced => Self::Coalesced,
            TickOutcome::SkippedMissed => Self::SkippedMissed,
            TickOutcome::SkippedPaused => Self::SkippedPaused,
            TickOutcome::Failed => Self::Failed,
            TickOutcome::SkippedNothingNew => Self::SkippedNothingNew,
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Gone => Problem::not_found(),
            ChangeError::NameTaken => Problem::invalid(vec![Mistake {
                pointer: Some("#/name".into()),
                parameter: None,
                code: "taken",
                detail: "there is a schedule of this name".into(),
            }]),
            ChangeError::Store(error) => error.into(),
            ChangeError::Stale { .. } | ChangeError::TooMany | ChangeError::CannotRun { .. } => {
                let sentence = error.to_string();
                // Problems speak in sentences.
                let mut chars = sentence.chars();
                let first = chars.next().map(|c| c.to_ascii_uppercase());
                Problem::new(ProblemKind::Conflict, first.into_iter().chain(chars).collect::<String>())
            }
        }
    }
}
