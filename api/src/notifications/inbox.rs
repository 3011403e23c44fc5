//! `/api/notifications`: the caller's inbox, and a test of their channels.

use crate::caller::Caller;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Parameters, Query, ReadBody, ReadQuery, boolean, id, list};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::NotificationId;
use shared::notification::{Event, Severity};
use shared::store::audit::{Note, Tenant};
use shared::store::notifications::{InboxItem, Marked, notify};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Marked in one request.
const MARKED_MAX: usize = 500;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxList {
    /// Only what was not read yet.
    #[param(value_type = Option<bool>, default = false)]
    unread: bool,
    /// Only notifications older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<NotificationId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for InboxList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let unread = parameters.optional("unread", Parameters::choice::<Flag>);
        let after = parameters.optional("after", Parameters::id);
        let unread = unread.is_some_and(|Flag::True| true);
        Some(Self { unread, after, limit: page::limit(parameters) })
    }
}

#[derive(serde::Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Flag {
    True,
}

/// How grave it is.
#[derive(Serialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = Severity)]
pub(crate) enum SeverityWord {
    Info,
    Warning,
    Critical,
}

impl From<Severity> for SeverityWord {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Notification {
    id: Uuid,
    /// Null: not about a project.
    project_id: Option<Uuid>,
    /// `reconciliation.finished` and the like.
    event: String,
    severity: SeverityWord,
    title: String,
    says: String,
    /// Where the pages show it.
    link: Option<String>,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl From<InboxItem> for Notification {
    fn from(item: InboxItem) -> Self {
        Self {
            id: item.id.0,
            project_id: item.project_id.map(|id| id.0),
            event: item.event,
            severity: item.severity.into(),
            title: item.title,
            says: item.says,
            link: item.link,
            created_at: item.created_at,
            read_at: item.read_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Inbox {
    /// All unread ones, not only those of this page; 1000 means that or more.
    unread: i64,
    /// Newest first.
    items: Vec<Notification>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// The caller's inbox.
#[utoipa::path(
    get, path = "/api/notifications", tag = "notifications", params(InboxList),
    responses((status = 200, description = "A page of notifications", body = Inbox))
)]
pub(crate) async fn list_notifications(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<InboxList>,
) -> Result<Json<Inbox>, Problem> {
    let unread = api.store.unread_count(caller.user_id).await?;
    let found = api.store.inbox(caller.user_id, query.unread, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept =
        [("unread", query.unread.then(|| "true".to_owned())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/notifications", &kept, |last| last.id);
    Ok(Json(Inbox { unread, items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {
    /// These; at most 500.
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 500, nullable = false)]
    ids: Option<Vec<NotificationId>>,
    /// Or all up to this one: the first of a list that somebody has seen.
    #[schema(value_type = Option<Uuid>, nullable = false)]
    up_to: Option<NotificationId>,
    /// False: unread again.
    #[schema(value_type = Option<bool>, default = true, nullable = false)]
    is_read: bool,
}

impl ReadBody for Reading {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let before = fields.mistakes();
        let ids = fields.optional("ids", list(MARKED_MAX, id));
        let up_to = fields.optional("up_to", id);
        let is_read = fields.optional("is_read", boolean).unwrap_or(true);
        if fields.mistakes() == before && ids.is_some() == up_to.is_some() {
            return fields.wrong("choice", "give either ids or up_to");
        }
        Some(Self { ids, up_to, is_read })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MarkedCount {
    /// Notifications that changed.
    changed: u64,
    /// What is unread now; 1000 means that or more.
    unread: i64,
}

/// Mark notifications as read, or as unread again.
#[utoipa::path(
    post, path = "/api/notifications/read", tag = "notifications", request_body = Reading,
    responses((status = 200, description = "Marked", body = MarkedCount))
)]
pub(crate) async fn mark_notifications(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<Reading>,
) -> Result<Json<MarkedCount>, Problem> {
    let ids = body.ids.unwrap_or_default();
    let marked = body.up_to.map_or(Marked::These(&ids), Marked::UpTo);
    let changed = api.store.mark_inbox(caller.user_id, marked, body.is_read).await?;
    let unread = api.store.unread_count(caller.user_id).await?;
    Ok(Json(MarkedCount { changed, unread }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TestSent {
    /// Of the notification.
    id: Uuid,
}

/// Send the caller a test over all channels they have, at once, whatever they have chosen.
#[utoipa::path(
    post, path = "/api/notifications/test", tag = "notifications",
    responses((status = 202, description = "On its way", body = TestSent))
)]
pub(crate) async fn test_notifications(
    State(api): State<Api>,
    caller: Caller,
) -> Result<(StatusCode, Json<TestSent>), Problem> {
    let mut tx = api.store.begin().await?;
    let id = notify(&mut tx, None, &Event::Test { user_id: caller.user_id }).await?;
    Note::of(Tenant::SYSTEM, "notification", id).commit(tx).await?;
    Ok((StatusCode::ACCEPTED, Json(TestSent { id: id.0 })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<InboxList>();
        crate::document::assert_schema_is_read::<Reading>();
    }
}
