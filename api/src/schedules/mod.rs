//! `/api/schedules` and `/api/projects/{id}/schedules`: jobs that time alone starts.
//!
//! The system's own schedules are there for platform administrators, a project's for its members; one schedule has the
//! same address whoever owns it. [`check`] is the way from what is asked for to what can be stored, also for the shell
//! (see [`create`]).

mod answer;
mod body;
mod check;
mod collection;
mod item;
mod next;
mod ticks;

pub use check::{CreateError, create};

use crate::state::Api;
use shared::ids::ScheduleId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_system_schedules, collection::create_system_schedule))
        .routes(routes!(collection::list_project_schedules, collection::create_project_schedule))
        .routes(routes!(next::preview_schedule))
        .routes(routes!(item::show_schedule, item::change_schedule, item::remove_schedule))
        .routes(routes!(item::pause_schedule))
        .routes(routes!(item::resume_schedule))
        .routes(routes!(item::run_schedule))
        .routes(routes!(next::list_next_times))
        .routes(routes!(ticks::list_ticks))
}

fn address(id: ScheduleId) -> String {
    format!("/api/schedules/{id}")
}
