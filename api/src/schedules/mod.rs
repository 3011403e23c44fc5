//! `/api/schedules` and `/api/projects/{id}/schedules`: jobs that time alone starts.
//!
//! The system's own schedules are there for platform administrators, a project's for its members; one schedule has the
//! same address whoever owns it. [`check`] is the way from what is asked for to what can be stored, also for the shell
//! (see [`create`]).

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod collection;
pub(crate) mod item;
pub(crate) mod next;
pub(crate) mod ticks;

pub use check::{CreateError, create};

use shared::ids::ScheduleId;

fn address(id: ScheduleId) -> String {
    format!("/api/schedules/{id}")
}
