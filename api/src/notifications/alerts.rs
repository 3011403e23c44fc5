//! `/api/alerts`, `/api/projects/{id}/alerts`: conditions that somebody has to look at.

use super::inbox::SeverityWord;
use crate::caller::Caller;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemDocument, ProblemKind};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::ids::{AlertId, ProjectId};
use shared::store::notifications::alerts::{Alert, AlertAct};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertAnswer {
    id: Uuid,
    /// Null: of the system itself.
    project_id: Option<Uuid>,
    /// Its type: `backup.failed` and the like.
    event: String,
    severity: SeverityWord,
    says: String,
    /// Over which it was told.
    channels: Vec<String>,
    /// How often it happened while the alert was open.
    occurrences: i32,
    opened_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<Uuid>,
    resolved_at: Option<DateTime<Utc>>,
}

impl From<Alert> for AlertAnswer {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id.0,
            project_id: alert.project_id.map(|id| id.0),
            event: alert.event,
            severity: alert.severity.into(),
            says: alert.says,
            channels: alert.channels,
            occurrences: alert.occurrences,
            opened_at: alert.opened_at,
            last_at: alert.last_at,
            acknowledged_at: alert.acknowledged_at,
            acknowledged_by: alert.acknowledged_by.map(|id| id.0),
            resolved_at: alert.resolved_at,
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertList {
    /// Only open ones, or all.
    #[param(inline, value_type = Option<AlertState>)]
    state: Option<AlertState>,
    /// Only alerts older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<AlertId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlertState {
    Open,
    All,
}

impl ReadQuery for AlertList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let state = parameters.optional("state", Parameters::choice);
        let after = parameters.optional("after", Parameters::id);
        Some(Self { state, after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AlertPage {
    /// Newest first.
    items: Vec<AlertAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Alerts of the system itself.
#[utoipa::path(
    get, path = "/api/alerts", tag = "notifications", params(AlertList),
    responses((status = 200, description = "A page of alerts", body = AlertPage))
)]
pub(crate) async fn list_system_alerts(
    State(api): State<Api>,
    Query(query): Query<AlertList>,
) -> Result<Json<AlertPage>, Problem> {
    list(&api, None, query, "/api/alerts").await
}

/// Alerts of a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/alerts", tag = "notifications", params(("id" = Uuid, Path), AlertList),
    responses((status = 200, description = "A page of alerts", body = AlertPage))
)]
pub(crate) async fn list_project_alerts(
    State(api): State<Api>,
    PathId(id): PathId<ProjectId>,
    Query(query): Query<AlertList>,
) -> Result<Json<AlertPage>, Problem> {
    list(&api, Some(id), query, &format!("/api/projects/{id}/alerts")).await
}

async fn list(
    api: &Api,
    project_id: Option<ProjectId>,
    query: AlertList,
    path: &str,
) -> Result<Json<AlertPage>, Problem> {
    let open_only = query.state == Some(AlertState::Open);
    let found = api.store.alerts(project_id, open_only, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("state", open_only.then(|| "open".to_owned())), ("limit", Some(query.limit.to_string()))];
    let next = page.next(path, &kept, |last| last.id);
    Ok(Json(AlertPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Say that somebody is at it: more of the same goes to inboxes only.
#[utoipa::path(
    post, path = "/api/alerts/{id}/acknowledge", tag = "notifications", params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Acknowledged"),
        (status = 409, description = "It is over already", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn acknowledge_alert(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<AlertId>,
) -> Result<StatusCode, Problem> {
    act(&api, id, AlertAct::Acknowledge(caller.user_id)).await
}

/// Say that it is over: whoever was told is told that, too.
#[utoipa::path(
    post, path = "/api/alerts/{id}/resolve", tag = "notifications", params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "Resolved"),
        (status = 409, description = "It is over already", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resolve_alert(
    State(api): State<Api>,
    PathId(id): PathId<AlertId>,
) -> Result<StatusCode, Problem> {
    act(&api, id, AlertAct::Resolve).await
}

async fn act(api: &Api, id: AlertId, act: AlertAct) -> Result<StatusCode, Problem> {
    match api.store.act_on_alert(id, act).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(ProblemKind::Conflict, "The alert is resolved already")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::AlertList>();
    }
}
