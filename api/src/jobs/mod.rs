//! `/api/jobs`: jobs of any kind as their owners and operators see them; `/api/batches`: jobs accepted together;
//! `/api/dead-letters`: messages that nobody could read or keep; `/api/workers`: who runs jobs.
//!
//! Architecture invariant: nothing in here knows what a job does. What a kind of job takes and answers has routes of
//! its own, as reconciliations have.

mod act;
mod batches;
mod bulk;
mod counts;
mod dead_groups;
mod dead_letters;
mod explain;
mod filter;
pub(crate) use filter::{escaped, moment};
mod list;
mod show;
mod workers;

use crate::state::Api;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list::list_jobs))
        .routes(routes!(counts::count_jobs))
        .routes(routes!(show::show_job))
        .routes(routes!(explain::explain_job))
        .routes(routes!(workers::list_workers))
        .routes(routes!(act::cancel_job))
        .routes(routes!(act::redrive_job))
        .routes(routes!(act::retry_job_now))
        .routes(routes!(bulk::act_on_jobs))
        .routes(routes!(dead_groups::list_dead_groups))
        .routes(routes!(batches::list_batches, batches::submit_batch))
        .routes(routes!(batches::show_batch))
        .routes(routes!(batches::cancel_batch))
        .routes(routes!(dead_letters::look_at_dead_letters))
        .routes(routes!(dead_letters::redrive_dead_letters))
        .routes(routes!(dead_letters::purge_dead_letters))
}
