//! What a form says when it comes back: why it was refused.

use crate::ask::Refusal;
use crate::problem::Mistake;
use axum::http::StatusCode;

/// Nothing, or what is to change.
pub(crate) struct Told {
    pub status: StatusCode,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

impl Told {
    pub fn nothing() -> Self {
        Self { status: StatusCode::OK, trouble: None, mistakes: vec![] }
    }

    pub fn of(refused: Option<Refusal>) -> Self {
        match refused {
            None => Self::nothing(),
            Some(Refusal { status, document, .. }) => {
                let trouble = document.errors.is_empty().then(|| document.detail.clone());
                Self { status, trouble, mistakes: document.errors }
            }
        }
    }

    /// One thing that is wrong in the form itself, before anything was asked for.
    pub fn mistake(pointer: &str, detail: &str) -> Self {
        let mistake = Mistake {
            pointer: Some(format!("#/{pointer}")),
            parameter: None,
            code: "format".into(),
            detail: detail.into(),
        };
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, trouble: None, mistakes: vec![mistake] }
    }
}

/// Whether the form should come back with what was said; otherwise it is a page of its own.
pub(crate) fn is_explained(refusal: &Refusal) -> bool {
    matches!(refusal.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}
