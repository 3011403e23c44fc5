//! Denied access: what a caller with a valid token was refused.

use super::Audit;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemKind};
use crate::state::Api;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// Writes a record for every 403, and for every 404 about something that may exist and be somebody else's.
///
/// Written before the answer leaves, in a transaction of its own. A database that is away changes nothing about the
/// refusal: it is logged then.
pub(crate) async fn note_denied(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let looked = Request::from_parts(parts.clone(), body);
    let response = next.run(looked).await;
    let kind = response.extensions().get::<Arc<Problem>>().map(|problem| problem.kind);
    if !matches!(kind, Some(ProblemKind::Forbidden | ProblemKind::NotFound)) {
        return response;
    }
    let Ok(caller) = Caller::from_request_parts(&mut parts, &api).await else { return response };
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let path: String = parts.uri.path().chars().take(200).collect();
    let status = response.status().as_u16();
    let written = Audit::of(&parts, Some(caller.user_id))
        .system("access.denied", ("route", route))
        .after(json!({"method": parts.method.as_str(), "path": path, "status": status}))
        .write_alone(&api)
        .await;
    if let Err(error) = written {
        tracing::error!(error = shared::chain(&error), user_id = %caller.user_id, path, "a denial is not in the audit log");
    }
    response
}
