//! What people decide about results: `/api/reconciliation/jobs/{id}/review` and `/api/projects/{id}/review`.
//!
//! Items are known by their `number` within the run, from 1. Each has a `version`; a decision that names it is taken
//! only as long as the item still has it (412 otherwise).

pub(crate) mod answers;
pub(crate) mod bulk;
pub(crate) mod decisions;
pub(crate) mod filters;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod lists;
pub(crate) mod settings;
pub(crate) mod summary;
pub(crate) mod values;
pub(crate) mod verdicts;

use crate::problem::{Mistake, Problem, ProblemKind};
use shared::store::review::ReviewError;

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
