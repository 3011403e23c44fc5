//! Restores: planned, performed, and what became of them.

use super::ask::was_accepted;
use super::body::instant;
use super::new_job;
use crate::caller::Caller;
use crate::idempotency::Repeatable;
use crate::page::{self, Page};
use crate::problem::{Mistake, Problem};
use crate::read::{
    Fields, JsonDraft, Parameters, PathId, Query, ReadBody, ReadQuery, boolean, choice, id, list, text,
};
use crate::reconciliation::Progress;
use crate::request_id::RequestId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backup::jobs::{PointWanted, RestoreArgs, RestoreWhat, TENANTS_MAX};
use backup::restore::merge::Policy;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::ids::{BackupId, RestoreId};
use shared::job::{JobKind, JobState};
use shared::store::audit::{Note, Tenant};
use shared::store::backups::{RestoreMode, RestoreRecord, RestoreState, RestoreView, record_restore};
use shared::store::jobs;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RestoreMode)]
pub(crate) enum ModeWord {
    /// A full backup into a scratch database, which is compared with the manifest and removed again.
    Drill,
    /// A full backup into a database of another name. The live one is replaced at a shell: `counterfoil restore full`.
    Full,
    /// Rows of projects back into the live database; what is newer, or not in the backup, stays.
    Merge,
    /// What recovering to a moment would take: only as a dry run, for a cluster is restored where it is to run.
    PointInTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MergePolicy {
    /// Rows that are live and differ stay: only what is missing comes back.
    Preserve,
    /// The backup's rows come back where they differ.
    Overwrite,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRestore {
    #[schema(value_type = ModeWord)]
    mode: Option<ModeWord>,
    /// Which one; of `point_in_time` it is chosen.
    #[schema(value_type = Uuid, required = false, nullable = false)]
    backup_id: Option<Uuid>,
    /// Only say what would be done.
    #[schema(nullable = false, default = false)]
    dry_run: Option<bool>,
    /// Of `full`: the name of the new database, `a-z`, `0-9` and `_`.
    #[schema(nullable = false, min_length = 1, max_length = 63)]
    database: Option<String>,
    /// Of `merge`: these alone; all that the backup holds unless given.
    #[schema(value_type = Vec<Uuid>, required = false, nullable = false, max_items = 1000)]
    project_ids: Option<Vec<Uuid>>,
    /// Of `merge`; `preserve` unless given.
    #[schema(value_type = MergePolicy, required = false, nullable = false)]
    policy: Option<MergePolicy>,
    /// Of `merge`, to overwrite in earnest: the name of the live database, exactly.
    #[schema(nullable = false, min_length = 1, max_length = 63)]
    confirm: Option<String>,
    /// Of `point_in_time`: through the last transaction committed at this time; the end of the archive unless given.
    #[schema(nullable = false)]
    time: Option<DateTime<Utc>>,
    /// Of `point_in_time`, instead: through the transaction that ends there, `0/3000148`.
    #[schema(nullable = false, min_length = 3, max_length = 20)]
    lsn: Option<String>,
}

impl ReadBody for NewRestore {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            mode: fields.required("mode", choice),
            backup_id: fields.optional("backup_id", id),
            dry_run: fields.optional("dry_run", boolean),
            database: fields.optional("database", text(1..=63)),
            project_ids: fields.optional("project_ids", list(TENANTS_MAX, id)),
            policy: fields.optional("policy", choice),
            confirm: fields.optional("confirm", text(1..=63)),
            time: fields.optional("time", instant),
            lsn: fields.optional("lsn", text(3..=20)),
        })
    }
}

impl NewRestore {
    /// `live`: the name of the database that the system works with.
    fn check(self, live: &str, mistakes: &mut Vec<Mistake>) -> Option<(RestoreWhat, bool)> {
        let mode = self.mode?;
        let dry_run = self.dry_run.unwrap_or(false);
        let mut wrong = |field: &str, code, detail: &str| {
            let pointer = Some(format!("#/{field}"));
            mistakes.push(Mistake { pointer, parameter: None, code, detail: detail.into() });
        };
        let strangers = [
            ("database", self.database.is_some(), ModeWord::Full),
            ("project_ids", self.project_ids.is_some(), ModeWord::Merge),
            ("policy", self.policy.is_some(), ModeWord::Merge),
            ("confirm", self.confirm.is_some(), ModeWord::Merge),
            ("time", self.time.is_some(), ModeWord::PointInTime),
            ("lsn", self.lsn.is_some(), ModeWord::PointInTime),
        ];
        for (field, _, _) in strangers.iter().filter(|(_, is_given, of)| *is_given && *of != mode) {
            wrong(field, "choice", "does not go with this mode");
        }
        if mode == ModeWord::PointInTime {
            if !dry_run {
                let detail =
                    "a cluster is recovered where it is to run: counterfoil restore pitr; set dry_run";
                wrong("dry_run", "choice", detail);
            }
            if self.backup_id.is_some() {
                wrong("backup_id", "choice", "the base backup is chosen by the moment");
            }
            let until = match (self.time, self.lsn) {
                (Some(_), Some(_)) => {
                    wrong("lsn", "choice", "give either time or lsn");
                    PointWanted::Latest
                }
                (Some(time), None) => PointWanted::Time(time),
                (None, Some(lsn)) if lsn.parse::<backup::wal::Lsn>().is_err() => {
                    wrong("lsn", "format", "must be a position in the WAL, like 0/3000148");
                    PointWanted::Latest
                }
                (None, Some(lsn)) => PointWanted::Lsn(lsn),
                (None, None) => PointWanted::Latest,
            };
            return Some((RestoreWhat::PointInTime { until }, dry_run));
        }
        if self.backup_id.is_none() {
            wrong("backup_id", "missing", "backup_id is missing");
        }
        let backup_id = self.backup_id.unwrap_or_default();
        let what = match mode {
            ModeWord::Drill | ModeWord::PointInTime => RestoreWhat::Drill { backup_id },
            ModeWord::Full => {
                let database = self.database.unwrap_or_default();
                let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
                if database.is_empty() {
                    wrong("database", "missing", "database is missing");
                } else if !database.bytes().all(is_plain) {
                    wrong("database", "format", "must be of a-z, 0-9 and _");
                } else if database == live {
                    let detail = "the live database is replaced at a shell: counterfoil restore full";
                    wrong("database", "choice", detail);
                }
                RestoreWhat::Full { backup_id, database }
            }
            ModeWord::Merge => {
                let policy = match self.policy {
                    Some(MergePolicy::Overwrite) => Policy::Overwrite,
                    Some(MergePolicy::Preserve) | None => Policy::Preserve,
                };
                if policy == Policy::Overwrite && !dry_run && self.confirm.as_deref() != Some(live) {
                    let detail = "to overwrite, confirm with the exact name of the live database";
                    wrong("confirm", "confirm", detail);
                }
                RestoreWhat::Merge { backup_id, tenants: self.project_ids.unwrap_or_default(), policy }
            }
        };
        Some((what, dry_run))
    }
}

impl From<RestoreMode> for ModeWord {
    fn from(mode: RestoreMode) -> Self {
        match mode {
            RestoreMode::Full => Self::Full,
            RestoreMode::Merge => Self::Merge,
            RestoreMode::PointInTime => Self::PointInTime,
            RestoreMode::Drill => Self::Drill,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RestoreState)]
pub(crate) enum StateWord {
    /// For its turn, or before another attempt.
    Waiting,
    Running,
    Succeeded,
    Failed,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Restore)]
pub(crate) struct RestoreAnswer {
    id: Uuid,
    mode: ModeWord,
    is_dry_run: bool,
    state: StateWord,
    /// Null while it is not chosen.
    backup_id: Option<Uuid>,
    /// Database or folder; null for drills.
    target: Option<String>,
    /// Those that were asked for; empty: all.
    project_ids: Vec<Uuid>,
    asked_by: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// Of one that runs.
    progress: Option<Progress>,
    /// Steps with their times, checks, counts; of a dry run the plan.
    #[schema(value_type = Option<Object>)]
    report: Option<serde_json::Value>,
    error: Option<String>,
}

impl From<RestoreView> for RestoreAnswer {
    fn from(RestoreView { record, job_state, job_error, progress }: RestoreView) -> Self {
        let state = match (record.state, job_state) {
            (RestoreState::Succeeded, _) => StateWord::Succeeded,
            // Failed once, and tried again.
            (_, Some(JobState::Scheduled | JobState::Available)) => StateWord::Waiting,
            (RestoreState::Failed, _) | (_, Some(JobState::Cancelled | JobState::Dead)) => StateWord::Failed,
            (RestoreState::Running, _) => StateWord::Running,
        };
        Self {
            id: record.id.0,
            mode: record.mode.into(),
            is_dry_run: record.is_dry_run,
            state,
            backup_id: Some(record.backup_id.0).filter(|id| !id.is_nil()),
            target: record.target,
            project_ids: record.tenants,
            asked_by: record.asked_by,
            started_at: record.started_at,
            finished_at: record.finished_at,
            progress: progress.filter(|_| state == StateWord::Running).map(|progress| progress.0.into()),
            report: record.report,
            error: record.error.or(job_error).filter(|_| state != StateWord::Succeeded),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedRestore {
    /// Of the restore, and of its job.
    id: Uuid,
    status_url: String,
}

/// Restore a backup, or (`dry_run`) say what restoring it would do. It is a job: see how it is at `status_url`.
#[utoipa::path(
    post, path = "/api/restores", tag = "backups", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body = NewRestore,
    responses((status = 202, description = "The restore is accepted", body = AcceptedRestore))
)]
pub(crate) async fn create_restore(
    State(api): State<Api>,
    caller: Caller,
    request_id: RequestId,
    repeatable: Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<NewRestore>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let live = api.store.connect_options();
    let live = live.get_database().unwrap_or_default();
    let checked = body.and_then(|body| body.check(live, &mut mistakes)).filter(|_| mistakes.is_empty());
    let Some((mode, dry_run)) = checked else { return Err(Problem::invalid(mistakes)) };
    let user = api.store.user(caller.user_id).await?.ok_or_else(Problem::not_found)?;
    let asked = json!({"dry_run": dry_run, "restore": mode});
    let record = waiting(&mode, live, dry_run, &user.email);
    let args = RestoreArgs { mode, asked_by: user.email, dry_run };
    let args = serde_json::to_value(args).expect("ids and words are always JSON");
    let job = new_job(&api, &caller, &request_id, JobKind::RESTORE, args, None);
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    jobs::enqueue(&mut tx, &job).await?;
    record_restore(&mut tx, &RestoreRecord { id: RestoreId(job.id.0), ..record }).await?;
    let status_url = format!("/api/restores/{}", job.id);
    let answer = AcceptedRestore { id: job.id.0, status_url: status_url.clone() };
    let response = repeatable.keep(&mut tx, StatusCode::ACCEPTED, Some(status_url), &answer).await?;
    Note::of(Tenant::SYSTEM, "restore", job.id).after(asked).commit(tx).await?;
    was_accepted(&api, &job);
    Ok(response)
}

/// The record of a restore whose job has not begun.
fn waiting(mode: &RestoreWhat, live: &str, is_dry_run: bool, asked_by: &str) -> RestoreRecord {
    let (record_mode, backup_id, target, tenants) = match mode {
        RestoreWhat::Drill { backup_id } => (RestoreMode::Drill, *backup_id, None, vec![]),
        RestoreWhat::Full { backup_id, database } => {
            (RestoreMode::Full, *backup_id, Some(database.clone()), vec![])
        }
        RestoreWhat::Merge { backup_id, tenants, .. } => {
            (RestoreMode::Merge, *backup_id, Some(live.to_owned()), tenants.clone())
        }
        RestoreWhat::PointInTime { .. } => (RestoreMode::PointInTime, Uuid::nil(), None, vec![]),
    };
    RestoreRecord {
        id: RestoreId::new(),
        backup_id: BackupId(backup_id),
        mode: record_mode,
        is_dry_run,
        state: RestoreState::Running,
        target,
        tenants,
        asked_by: asked_by.to_owned(),
        started_at: Utc::now(),
        finished_at: None,
        report: None,
        error: None,
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RestoreList {
    #[param(value_type = Option<ModeWord>)]
    mode: Option<RestoreMode>,
    /// Only those older than this one: take it from `next`.
    #[param(value_type = Option<Uuid>)]
    after: Option<RestoreId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for RestoreList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self {
            mode: parameters.optional("mode", Parameters::choice),
            after: parameters.optional("after", Parameters::id),
            limit: page::limit(parameters),
        })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RestorePage {
    /// Newest first.
    items: Vec<RestoreAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Who restored what into what, and drills; also those from a shell.
#[utoipa::path(
    get, path = "/api/restores", tag = "backups", security(("access_token" = [])), params(RestoreList),
    responses((status = 200, description = "A page of restores", body = RestorePage))
)]
pub(crate) async fn list_restores(
    State(api): State<Api>,
    Query(query): Query<RestoreList>,
) -> Result<Json<RestorePage>, Problem> {
    let found = api.store.restores(query.mode, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept =
        [("mode", query.mode.map(|mode| mode.as_str().to_owned())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/restores", &kept, |last| last.record.id);
    Ok(Json(RestorePage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// One restore: where it is, and what it did.
#[utoipa::path(
    get, path = "/api/restores/{id}", tag = "backups", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The restore", body = RestoreAnswer))
)]
pub(crate) async fn show_restore(
    State(api): State<Api>,
    PathId(id): PathId<RestoreId>,
) -> Result<Json<RestoreAnswer>, Problem> {
    let restore = api.store.restore(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(restore.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<NewRestore>();
        crate::document::assert_query_is_read::<RestoreList>();
    }

    #[test]
    fn nothing_is_overwritten_without_the_name_and_the_live_database_never_replaced() {
        let read = |body| {
            let JsonDraft { body, mut mistakes } = crate::read::draft::<NewRestore>(body);
            let _ = body.and_then(|body| body.check("live", &mut mistakes));
            mistakes.iter().map(|m| m.pointer.clone().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let id = Uuid::nil();
        for (body, pointers) in [
            (json!({"mode": "drill", "backup_id": id}), ""),
            (json!({"mode": "drill"}), "#/backup_id"),
            (json!({"mode": "full", "backup_id": id, "database": "other"}), ""),
            (json!({"mode": "full", "backup_id": id, "database": "live"}), "#/database"),
            (json!({"mode": "full", "backup_id": id, "database": "a b"}), "#/database"),
            (json!({"mode": "full", "backup_id": id}), "#/database"),
            (json!({"mode": "merge", "backup_id": id}), ""),
            (json!({"mode": "merge", "backup_id": id, "policy": "overwrite"}), "#/confirm"),
            (
                json!({"mode": "merge", "backup_id": id, "policy": "overwrite", "confirm": "lives"}),
                "#/confirm",
            ),
            (json!({"mode": "merge", "backup_id": id, "policy": "overwrite", "confirm": "live"}), ""),
            (json!({"mode": "merge", "backup_id": id, "policy": "overwrite", "dry_run": true}), ""),
            (json!({"mode": "merge", "backup_id": id, "database": "x"}), "#/database"),
            (json!({"mode": "point_in_time"}), "#/dry_run"),
            (json!({"mode": "point_in_time", "dry_run": true, "lsn": "0/3000148"}), ""),
            (json!({"mode": "point_in_time", "dry_run": true, "lsn": "here"}), "#/lsn"),
            (json!({"mode": "drill", "backup_id": id, "lsn": "0/1", "confirm": "x"}), "#/confirm #/lsn"),
        ] {
            assert_eq!(read(body.clone()), pointers, "{body}");
        }
    }
}
