//! `/api/reconciliation/jobs`: submit, watch, stop, and read what came out. The id of a job is the id of its
//! reconciliation.

pub(crate) mod chain;
pub(crate) mod delete;
pub(crate) mod downloads;
pub(crate) mod events;
pub(crate) mod exceptions;
pub(crate) mod list;
pub(crate) mod matches;
pub(crate) mod netting_body;
pub(crate) mod open_items;
pub(crate) mod presets;
pub(crate) mod records;
pub(crate) mod rejected_lines;
pub(crate) mod rule_set_body;
pub(crate) mod sample;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod submission;
pub(crate) mod submit;
pub(crate) mod summary;
pub(crate) mod watcher;

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
