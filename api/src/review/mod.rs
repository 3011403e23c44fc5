//! What people decide about results: `/api/reconciliation/jobs/{id}/review` and `/api/projects/{id}/review`.
//!
//! Items are known by their `number` within the run, from 1. Each has a `version`; a decision that names it is taken
//! only as long as the item still has it (412 otherwise).

mod answers;
mod bulk;
mod decisions;
mod filters;
mod history;
mod lists;
mod settings;
mod summary;
mod verdicts;

use crate::problem::{Mistake, Problem, ProblemKind};
use crate::state::Api;
use shared::store::review::ReviewError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(summary::show_review))
        .routes(routes!(lists::list_review_exceptions))
        .routes(routes!(lists::next_review_exception))
        .routes(routes!(lists::show_review_exception))
        .routes(routes!(lists::list_review_matches))
        .routes(routes!(lists::show_review_match))
        .routes(routes!(lists::list_hand_matches))
        .routes(routes!(history::list_decisions, decisions::decide_about_results))
        .routes(routes!(history::show_decision))
        .routes(routes!(verdicts::judge_decision))
        .routes(routes!(bulk::preview_bulk))
        .routes(routes!(bulk::decide_in_bulk))
        .routes(routes!(verdicts::list_waiting_decisions))
        .routes(routes!(settings::list_review_reasons))
        .routes(routes!(settings::set_review_reason))
        .routes(routes!(settings::list_four_eyes_limits))
        .routes(routes!(settings::set_four_eyes_limit, settings::remove_four_eyes_limit))
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Store(error) => error.into(),
            ReviewError::Unknown { .. } | ReviewError::UnknownDecision => Self::not_found(),
            ReviewError::Stale { .. } => Self::new(ProblemKind::Stale, error.to_string()),
            ReviewError::Refused(says) => Self::new(ProblemKind::Conflict, says),
            ReviewError::Wrong { member, detail } => Self::invalid(vec![Mistake {
                pointer: Some(format!("#/{member}")),
                parameter: None,
                code: "review",
                detail,
            }]),
        }
    }
}

/// An item's ordinal, from its number in a path.
fn ordinal(number: &str) -> Result<i32, Problem> {
    let number: Option<i32> = number.parse().ok().filter(|number| *number > 0);
    number.map(|number| number - 1).ok_or_else(Problem::not_found)
}
