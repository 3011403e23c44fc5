//! What is wrong with backups, from when to when.

use crate::caller::Administrator;
use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::ids::BackupAlertId;
use shared::store::backups::{AlertSeverity, BackupAlert};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupAlertSeverity)]
pub(crate) enum SeverityWord {
    Warning,
    Critical,
}

/// Which alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AlertsWanted {
    /// Those that hold.
    Open,
    All,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackupAlertList {
    #[param(value_type = Option<AlertsWanted>, inline)]
    which: Option<AlertsWanted>,
    /// Only those older than this one: take it from `next`.
    #[param(value_type = Option<Uuid>)]
    after: Option<BackupAlertId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for BackupAlertList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self {
            which: parameters.optional("which", Parameters::choice),
            after: parameters.optional("after", Parameters::id),
            limit: page::limit(parameters),
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupAlert)]
pub(crate) struct AlertAnswer {
    id: Uuid,
    /// `backup_stale`, `backup_failed`, `backup_lost`, `backup_stores_down`, `wal_behind`, `wal_archiving_fails`,
    /// `wal_piles_up`, `wal_missing`, `backup_harmed`, `backup_size_deviates`, `backup_slow`, `backup_store_down`,
    /// `backup_store_full` or `restore_not_proven`.
    kind: String,
    /// Of which store or kind of backup; may be empty.
    subject: String,
    severity: SeverityWord,
    message: String,
    raised_at: DateTime<Utc>,
    /// When it was last found so.
    seen_at: DateTime<Utc>,
    /// Null while it holds.
    resolved_at: Option<DateTime<Utc>>,
    acknowledged_at: Option<DateTime<Utc>>,
    acknowledged_by: Option<String>,
}

impl From<BackupAlert> for AlertAnswer {
    fn from(alert: BackupAlert) -> Self {
        Self {
            id: alert.id.0,
            kind: alert.kind,
            subject: alert.subject,
            severity: match alert.severity {
                AlertSeverity::Warning => SeverityWord::Warning,
                AlertSeverity::Critical => SeverityWord::Critical,
            },
            message: alert.message,
            raised_at: alert.raised_at,
            seen_at: alert.seen_at,
            resolved_at: alert.resolved_at,
            acknowledged_at: alert.acknowledged_at,
            acknowledged_by: alert.acknowledged_by,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BackupAlertPage {
    /// Newest first.
    items: Vec<AlertAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// What needs somebody, and what did.
#[utoipa::path(
    get, path = "/api/backups/alerts", tag = "backups", security(("access_token" = [])), params(BackupAlertList),
    responses((status = 200, description = "A page of alerts", body = BackupAlertPage))
)]
pub(crate) async fn list_backup_alerts(
    State(api): State<Api>,
    Query(query): Query<BackupAlertList>,
) -> Result<Json<BackupAlertPage>, Problem> {
    let only_open = query.which == Some(AlertsWanted::Open);
    let found = api.store.backup_alerts(only_open, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("which", only_open.then(|| "open".to_owned())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/backups/alerts", &kept, |last| last.id);
    Ok(Json(BackupAlertPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Take note of an alert. The first one to do so stays its name.
#[utoipa::path(
    post, path = "/api/backups/alerts/{id}/acknowledge", tag = "backups", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The alert", body = AlertAnswer))
)]
pub(crate) async fn acknowledge_backup_alert(
    State(api): State<Api>,
    Administrator(user): Administrator,
    PathId(id): PathId<BackupAlertId>,
) -> Result<Json<AlertAnswer>, Problem> {
    let alert = api.store.acknowledge_backup_alert(id, &user.email).await?;
    Ok(Json(alert.ok_or_else(Problem::not_found)?.into()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::BackupAlertList>();
    }
}
