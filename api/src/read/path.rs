//! Ids in paths.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::str::FromStr;

/// The first, mostly only, id in a path. What is no id is not found, like an id that nobody has.
pub(crate) struct PathId<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        nth_id(parts, state, 0).await.map(PathId)
    }
}

/// The second id of a path, of something below the first.
pub(crate) struct SecondId<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for SecondId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        nth_id(parts, state, 1).await.map(SecondId)
    }
}

async fn nth_id<T: FromStr, S: Send + Sync>(parts: &mut Parts, state: &S, n: usize) -> Result<T, Problem> {
    let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
    let text = params.iter().nth(n).map(|(_, text)| text);
    text.and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
}
