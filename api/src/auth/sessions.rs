//! `/api/auth/sessions`: where an account is logged in.

use crate::caller::Caller;
use crate::problem::Problem;
use crate::read::PathId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::SessionId;
use shared::store::sessions::SessionEnd;
use utoipa::ToSchema;
use uuid::Uuid;

/// Shown at most; older ones end by themselves.
const SESSIONS_MAX: u32 = 200;

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionAnswer {
    id: Uuid,
    /// The one that asks.
    is_current: bool,
    created_at: DateTime<Utc>,
    /// When it was last refreshed.
    last_used_at: DateTime<Utc>,
    /// However often it is refreshed.
    expires_at: DateTime<Utc>,
    /// Where it began.
    ip: Option<String>,
    user_agent: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// Newest first, at most 200.
    items: Vec<SessionAnswer>,
}

/// The account's sessions.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "auth",
    responses((status = 200, description = "Those that go on", body = SessionList))
)]
pub(crate) async fn list_sessions(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<SessionList>, Problem> {
    let found = api.store.sessions(caller.user_id, api.clock.now(), SESSIONS_MAX).await?;
    let items = found.into_iter().map(|session| SessionAnswer {
        id: session.id.0,
        is_current: caller.session_id() == Some(session.id),
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
        ip: session.ip,
        user_agent: session.user_agent,
    });
    Ok(Json(SessionList { items: items.collect() }))
}

/// End a session of the account. Event streams it has open end with their access token.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", tag = "auth", params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Ended"),
        (status = 404, description = "The account has no such session", body = crate::problem::ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn end_session(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<SessionId>,
) -> Result<StatusCode, Problem> {
    match api.store.end_session(caller.user_id, id, SessionEnd::Revoked, api.clock.now()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found()),
    }
}

/// End all sessions of the account but this one.
#[utoipa::path(
    delete, path = "/api/auth/sessions", tag = "auth", responses((status = 204, description = "Ended"))
)]
pub(crate) async fn end_other_sessions(
    State(api): State<Api>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    api.store.end_other_sessions(caller.user_id, caller.session_id(), api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
