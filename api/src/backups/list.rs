//! The backups there are, and were.

use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Parameters, PathId, Query, ReadBody, ReadQuery, boolean};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::ids::{BackupId, ProjectId};
use shared::store::backups::{BackupFilter, BackupKind, BackupLine, BackupState, CopyState};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What a backup is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupKind)]
pub(crate) enum KindWord {
    /// The whole cluster, file by file: with archived WAL, every moment since.
    Base,
    /// The whole database.
    Full,
    /// The rows of one project.
    Tenant,
    /// What operators have set.
    Configuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupState)]
pub(crate) enum StateWord {
    Committed,
    Failed,
    /// By retention.
    Removed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupCopyState)]
pub(crate) enum CopyWord {
    Held,
    /// The store gets it when it is back.
    Owed,
    Missing,
    Damaged,
    /// The store did not answer.
    Unknown,
}

impl From<BackupKind> for KindWord {
    fn from(kind: BackupKind) -> Self {
        match kind {
            BackupKind::Base => Self::Base,
            BackupKind::Full => Self::Full,
            BackupKind::Tenant => Self::Tenant,
            BackupKind::Configuration => Self::Configuration,
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackupList {
    #[param(value_type = Option<KindWord>)]
    kind: Option<BackupKind>,
    #[param(value_type = Option<StateWord>)]
    state: Option<BackupState>,
    /// Whose tenant backups.
    #[param(value_type = Option<Uuid>)]
    of_project: Option<ProjectId>,
    /// Only those older than this one: take it from `next`.
    #[param(value_type = Option<Uuid>)]
    after: Option<BackupId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for BackupList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self {
            kind: parameters.optional("kind", Parameters::choice),
            state: parameters.optional("state", Parameters::choice),
            of_project: parameters.optional("of_project", Parameters::id),
            after: parameters.optional("after", Parameters::id),
            limit: page::limit(parameters),
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backup)]
pub(crate) struct BackupAnswer {
    id: Uuid,
    kind: KindWord,
    state: StateWord,
    /// Of tenant backups.
    project_id: Option<Uuid>,
    /// Tenant backups of one moment share it.
    group_id: Option<Uuid>,
    note: Option<String>,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
    /// What it holds was so then.
    taken_at: Option<DateTime<Utc>>,
    rows: Option<i64>,
    /// Before compression.
    plain_bytes: Option<i64>,
    /// In each store.
    sealed_bytes: Option<i64>,
    /// Whether as many stores as it needs held it when it was taken.
    counts: Option<bool>,
    error: Option<String>,
    is_protected: bool,
    verified_at: Option<DateTime<Utc>>,
    /// By the last verification, whether it can be restored.
    is_good: Option<bool>,
    removed_at: Option<DateTime<Utc>>,
    /// By store.
    copies: Vec<CopyAnswer>,
}

/// What one store has of a backup.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupCopy)]
pub(crate) struct CopyAnswer {
    store: String,
    state: CopyWord,
    /// When it was seen so.
    checked_at: DateTime<Utc>,
}

impl From<BackupLine> for BackupAnswer {
    fn from(line: BackupLine) -> Self {
        let copies = line.copies.0.into_iter().map(|copy| CopyAnswer {
            store: copy.store,
            state: match copy.state {
                CopyState::Held => CopyWord::Held,
                CopyState::Owed => CopyWord::Owed,
                CopyState::Missing => CopyWord::Missing,
                CopyState::Damaged => CopyWord::Damaged,
                CopyState::Unknown => CopyWord::Unknown,
            },
            checked_at: copy.checked_at,
        });
        Self {
            id: line.id.0,
            kind: line.class.into(),
            state: match line.state {
                BackupState::Committed => StateWord::Committed,
                BackupState::Failed => StateWord::Failed,
                BackupState::Removed => StateWord::Removed,
            },
            project_id: line.project_id.map(|id| id.0),
            group_id: line.group_id,
            note: line.note,
            started_at: line.started_at,
            finished_at: line.finished_at,
            taken_at: line.taken_at,
            rows: line.rows,
            plain_bytes: line.plain_bytes,
            sealed_bytes: line.sealed_bytes,
            counts: line.counts,
            error: line.error,
            is_protected: line.is_protected,
            verified_at: line.verified_at,
            is_good: line.is_good,
            removed_at: line.removed_at,
            copies: copies.collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BackupPage {
    /// Newest first.
    items: Vec<BackupAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Backups that were tried, newest first. Those under way are jobs: `/api/jobs?kind=backup&state=running`.
#[utoipa::path(
    get, path = "/api/backups", tag = "backups", security(("access_token" = [])), params(BackupList),
    responses((status = 200, description = "A page of backups", body = BackupPage))
)]
pub(crate) async fn list_backups(
    State(api): State<Api>,
    Query(query): Query<BackupList>,
) -> Result<Json<BackupPage>, Problem> {
    let filter = BackupFilter { class: query.kind, state: query.state, project_id: query.of_project };
    let found = api.store.backup_lines(&filter, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [
        ("kind", query.kind.map(|kind| kind.as_str().to_owned())),
        ("state", query.state.map(|state| state.as_str().to_owned())),
        ("of_project", query.of_project.map(|id| id.to_string())),
        ("limit", Some(query.limit.to_string())),
    ];
    let next = page.next("/api/backups", &kept, |last| last.id);
    Ok(Json(BackupPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// A backup with what it says of itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupDetail {
    #[serde(flatten)]
    backup: BackupAnswer,
    /// Versions, tables with rows and digests, WAL, parts with sizes and digests; null of failed ones.
    #[schema(value_type = Option<Object>)]
    manifest: Option<serde_json::Value>,
    /// What the last verification found, store by store.
    #[schema(value_type = Option<Object>)]
    verification: Option<serde_json::Value>,
}

/// One backup, with its manifest.
#[utoipa::path(
    get, path = "/api/backups/{id}", tag = "backups", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The backup", body = BackupDetail))
)]
pub(crate) async fn show_backup(
    State(api): State<Api>,
    PathId(id): PathId<BackupId>,
) -> Result<Json<BackupDetail>, Problem> {
    let line = api.store.backup_line(id).await?.ok_or_else(Problem::not_found)?;
    let record = api.store.backup(id).await?.ok_or_else(Problem::not_found)?;
    let (manifest, verification) = (record.manifest, record.verification);
    Ok(Json(BackupDetail { backup: line.into(), manifest, verification }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Protection {
    /// Whether it stays, whatever retention says.
    is_protected: bool,
}

impl ReadBody for Protection {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { is_protected: fields.required("is_protected", boolean)? })
    }
}

/// Keep a backup whatever retention says, or let the rules decide again.
#[utoipa::path(
    put, path = "/api/backups/{id}/protection", tag = "backups", security(("access_token" = [])),
    params(("id" = Uuid, Path)), request_body = Protection,
    responses((status = 200, description = "As it is now", body = BackupAnswer))
)]
pub(crate) async fn protect_backup(
    State(api): State<Api>,
    PathId(id): PathId<BackupId>,
    JsonBody(Protection { is_protected }): JsonBody<Protection>,
) -> Result<Json<BackupAnswer>, Problem> {
    if !api.store.protect_backup(id, is_protected).await? {
        return Err(Problem::not_found());
    }
    let line = api.store.backup_line(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(line.into()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::BackupList>();
        crate::document::assert_schema_is_read::<super::Protection>();
    }
}
