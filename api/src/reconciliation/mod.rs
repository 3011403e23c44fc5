//! `/api/reconciliation/jobs`: submit, watch, stop, and read what came out. The id of a job is the id of its
//! reconciliation.

mod delete;
mod downloads;
mod events;
mod exceptions;
mod list;
mod matches;
mod netting_body;
mod open_items;
mod presets;
mod records;
mod rejected_lines;
mod rule_set_body;
mod sample;
mod show;
mod stop;
mod submission;
mod submit;
mod summary;
mod watcher;

pub(crate) use events::StateEvent;
pub(crate) use exceptions::ExceptionAnswer;
pub(crate) use list::{LineAnswer, State};
pub(crate) use matches::{MatchAnswer, PassNames};
pub(crate) use records::{Kind, RecordAnswer, exponent};
pub(crate) use rule_set_body::RuleSetBody;
pub(crate) use show::{Attempt, Progress};
pub(crate) use submission::Submission;
pub(crate) use submit::{continue_run, look_at_run_before, new_job, new_reconciliation};
pub(crate) use watcher::Watcher;

use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use shared::ids::JobId;
use shared::store::reconciliations::{Reconciliation, Summary};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list::list_reconciliations, submit::submit_reconciliation))
        .routes(routes!(show::show_reconciliation, delete::delete_reconciliation))
        .routes(routes!(stop::cancel_reconciliation))
        .routes(routes!(matches::list_matches))
        .routes(routes!(exceptions::list_exceptions))
        .routes(routes!(rejected_lines::list_rejected_lines))
        .routes(routes!(summary::show_summary))
        .routes(routes!(presets::list_presets))
        .routes(routes!(sample::try_rules))
}

pub(crate) fn long_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(events::watch_reconciliation)).merge(downloads::routes())
}

/// The address of a job; everything about it lies below.
pub(crate) fn address(id: JobId) -> String {
    format!("/api/reconciliation/jobs/{id}")
}

impl Api {
    /// The reconciliation with its summary, once it has one; a conflict before.
    pub(crate) async fn completed(&self, id: JobId) -> Result<(Reconciliation, Summary), Problem> {
        let mut reconciliation = self.store.reconciliation(id).await?.ok_or_else(Problem::not_found)?;
        match reconciliation.summary.take() {
            Some(summary) => Ok((reconciliation, summary)),
            None => Err(Problem::new(
                ProblemKind::NotFinished,
                "Results are written when the job completes; see its state and error",
            )),
        }
    }
}
