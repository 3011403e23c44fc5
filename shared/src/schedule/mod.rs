//! Schedules: jobs that time alone starts.
//!
//! Words: an [`Expression`] (cron) and a time zone together are a [`Timing`]; its *occurrences* are the instants it
//! names; an occurrence of a stored schedule is *due*, and what was decided about it is a *tick* in the ledger.
//!
//! This module is the quiet part: pure functions of expression, zone, policy and now. Nothing here reads a clock or a
//! database; [`crate::store::schedules`] performs what [`plan()`] proposes. What the expressions mean when clocks
//! change is said in [`timing`].

mod expression;
pub mod kinds;
pub mod plan;
pub mod shipped;
pub mod timing;
mod zone;

pub use expression::{EXPRESSION_CHARS_MAX, Expression, ExpressionError};
pub use kinds::{SchedulableKind, Scope};
pub use plan::{Plan, PlannedTick, plan};
pub use timing::Timing;
pub use zone::{UnknownZone, zone, zone_data_version};

use serde::{Deserialize, Serialize};

/// What becomes of due times that nobody saw to in time: every scheduler was down, or the database was. Postgres has
/// the same type, `missed_runs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "missed_runs", rename_all = "snake_case")]
pub enum MissedRuns {
    /// None is made up for.
    Skip,
    /// One run makes up for all of them.
    Once,
    /// Each runs, oldest first, but at most the newest [`plan::LISTED_MAX`].
    All,
}

impl MissedRuns {
    pub const ALL: [MissedRuns; 3] = [Self::Skip, Self::Once, Self::All];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

/// What was decided about a due time. Final: a tick is written once and never changed. Postgres has the same type,
/// `tick_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "tick_outcome", rename_all = "snake_case")]
pub enum TickOutcome {
    /// Its job was made in the transaction that wrote the tick.
    Fired,
    /// Somebody asked for a run now; the due time is when they asked.
    RunNow,
    /// Too late; one later run makes up for it and others.
    Coalesced,
    /// Too late, and the policy makes up for none, or not for so many.
    SkippedMissed,
    /// The schedule was paused when it came due.
    SkippedPaused,
    /// It should have fired, but no job could be made; the reason says why.
    Failed,
    /// It takes the newest files, and there was none that the last run had not taken.
    SkippedNothingNew,
}

impl TickOutcome {
    pub const ALL: [TickOutcome; 7] = [
        Self::Fired,
        Self::RunNow,
        Self::Coalesced,
        Self::SkippedMissed,
        Self::SkippedPaused,
        Self::Failed,
        Self::SkippedNothingNew,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::RunNow => "run_now",
            Self::Coalesced => "coalesced",
            Self::SkippedMissed => "skipped_missed",
            Self::SkippedPaused => "skipped_paused",
            Self::Failed => "failed",
            Self::SkippedNothingNew => "skipped_nothing_new",
        }
    }

    /// Whether a tick of this outcome has a job.
    pub fn has_job(self) -> bool {
        matches!(self, Self::Fired | Self::RunNow)
    }
}
