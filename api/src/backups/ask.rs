//! Asking for a backup, or for the verification of one.

use super::body::instant;
use super::list::KindWord;
use super::new_job;
use crate::caller::Caller;
use crate::idempotency::Repeatable;
use crate::problem::{Mistake, Problem};
use crate::read::{Fields, JsonDraft, PathId, ReadBody, boolean, choice, id, list, text};
use crate::request_id::RequestId;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use backup::jobs::{BackupArgs, BackupWhat, ConfigBackupArgs, NOTE_CHARS_MAX, TENANTS_MAX, VerifyArgs};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use shared::ids::BackupId;
use shared::job::{JobKind, NewJob};
use shared::store::audit::{Note, Tenant};
use shared::store::jobs;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBackup {
    #[schema(value_type = KindWord)]
    kind: Option<KindWord>,
    /// Of a tenant backup: these projects, each a backup of its own, all of one moment.
    #[schema(value_type = Vec<Uuid>, required = false, nullable = false, max_items = 1000)]
    project_ids: Option<Vec<Uuid>>,
    /// Of a tenant backup: every project.
    #[schema(nullable = false, default = false)]
    all_projects: Option<bool>,
    /// Why, for whoever wonders.
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    note: Option<String>,
    /// Not now, but then (RFC 3339).
    #[schema(nullable = false)]
    at: Option<DateTime<Utc>>,
}

impl ReadBody for NewBackup {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            kind: fields.required("kind", choice),
            project_ids: fields.optional("project_ids", list(TENANTS_MAX, id)),
            all_projects: fields.optional("all_projects", boolean),
            note: fields.optional("note", text(1..=NOTE_CHARS_MAX)),
            at: fields.optional("at", instant),
        })
    }
}

/// A job that was accepted.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedJob {
    job_id: Uuid,
    /// How it is: `/api/jobs/{id}`.
    status_url: String,
}

/// Take a backup, now or at a time. It is a job; what it leaves is in its result and in the list of backups.
#[utoipa::path(
    post, path = "/api/backups", tag = "backups", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body = NewBackup,
    responses((status = 202, description = "The job is accepted", body = AcceptedJob))
)]
pub(crate) async fn create_backup(
    State(api): State<Api>,
    caller: Caller,
    request_id: RequestId,
    repeatable: Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<NewBackup>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let at = body.as_ref().and_then(|body| body.at);
    let Some((kind, args)) = body.and_then(|body| body.check(&mut mistakes)).filter(|_| mistakes.is_empty())
    else {
        return Err(Problem::invalid(mistakes));
    };
    let asked = json!({"kind": kind.as_str(), "args": args, "at": at});
    let job = new_job(&api, &caller, &request_id, kind, args, at);
    accept(&api, &repeatable, &job, Note::of(Tenant::SYSTEM, "backup", job.id).after(asked)).await
}

impl NewBackup {
    fn check(self, mistakes: &mut Vec<Mistake>) -> Option<(JobKind, Value)> {
        let kind = self.kind?;
        let tenants = self.project_ids.unwrap_or_default();
        let all_tenants = self.all_projects.unwrap_or(false);
        let mut wrong = |pointer: &str, code, detail: &str| {
            mistakes.push(Mistake {
                pointer: Some(pointer.into()),
                parameter: None,
                code,
                detail: detail.into(),
            });
        };
        let names_tenants = all_tenants || !tenants.is_empty();
        if kind == KindWord::Tenant && !names_tenants {
            wrong("#/project_ids", "missing", "name projects, or set all_projects");
        }
        if kind != KindWord::Tenant && names_tenants {
            wrong("#/kind", "choice", "only a tenant backup is of projects");
        }
        if all_tenants && !tenants.is_empty() {
            wrong("#/all_projects", "choice", "give either project_ids or all_projects");
        }
        let what = match kind {
            KindWord::Configuration => {
                let args = serde_json::to_value(ConfigBackupArgs { note: self.note }).ok()?;
                return Some((JobKind::CONFIG_BACKUP, args));
            }
            KindWord::Base => BackupWhat::Base,
            KindWord::Full => BackupWhat::Full,
            KindWord::Tenant => BackupWhat::Tenant,
        };
        let args = BackupArgs { kind: what, tenants, all_tenants, note: self.note };
        Some((JobKind::BACKUP, serde_json::to_value(args).ok()?))
    }
}

/// Read every object of a backup from every store and compare digests; what is damaged in one store is brought back
/// from another.
#[utoipa::path(
    post, path = "/api/backups/{id}/verify", tag = "backups", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    responses((status = 202, description = "The job is accepted", body = AcceptedJob))
)]
pub(crate) async fn verify_backup(
    State(api): State<Api>,
    caller: Caller,
    request_id: RequestId,
    repeatable: Repeatable,
    PathId(id): PathId<BackupId>,
) -> Result<Response, Problem> {
    api.store.backup_line(id).await?.ok_or_else(Problem::not_found)?;
    let args = VerifyArgs { backup_id: Some(id.0), minutes_max: None };
    let args = serde_json::to_value(args).expect("an id is always JSON");
    let job = new_job(&api, &caller, &request_id, JobKind::VERIFY_BACKUPS, args, None);
    let note = Note::of(Tenant::SYSTEM, "backup", id).after(json!({"job_id": job.id}));
    accept(&api, &repeatable, &job, note).await
}

/// Stores the job with its audit record and the answer.
pub(super) async fn accept(
    api: &Api,
    repeatable: &Repeatable,
    job: &NewJob,
    note: Note,
) -> Result<Response, Problem> {
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    jobs::enqueue(&mut tx, job).await?;
    let status_url = format!("/api/jobs/{}", job.id);
    let answer = AcceptedJob { job_id: job.id.0, status_url: status_url.clone() };
    let response = repeatable.keep(&mut tx, StatusCode::ACCEPTED, Some(status_url), &answer).await?;
    note.commit(tx).await?;
    was_accepted(api, job);
    Ok(response)
}

pub(super) fn was_accepted(api: &Api, job: &NewJob) {
    api.relay_wake.notify_one();
    metrics::counter!("counterfoil_jobs_accepted_total", "kind" => job.kind.as_str().to_owned()).increment(1);
    tracing::info!(job_id = %job.id, kind = %job.kind, "accepted a job of backups");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<NewBackup>();
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_every_mistake() {
        let read = |body| {
            let JsonDraft { body, mut mistakes } = crate::read::draft::<NewBackup>(body);
            let checked = body.and_then(|body| body.check(&mut mistakes));
            (checked, mistakes.iter().map(|m| m.pointer.clone().unwrap()).collect::<Vec<_>>())
        };
        let (accepted, none) = read(json!({"kind": "tenant", "all_projects": true, "note": "n"}));
        assert_eq!(none, [""; 0]);
        let args = json!({"kind": "tenant", "all_tenants": true, "note": "n"});
        assert_eq!(accepted.map(|(_, args)| args), Some(args.clone()));
        assert_eq!(backup::jobs::check_args("backup", &args), Ok(()));
        for (body, pointers) in [
            (json!({"kind": "tenant"}), &["#/project_ids"] as &[&str]),
            (json!({"kind": "full", "all_projects": true}), &["#/kind"]),
            (
                json!({"kind": "full", "all_projects": true, "project_ids": [Uuid::nil()]}),
                &["#/kind", "#/all_projects"],
            ),
            (json!({"kind": "some", "at": "soon"}), &["#/kind", "#/at"]),
        ] {
            assert_eq!(read(body.clone()).1, pointers, "{body}");
        }
    }
}
