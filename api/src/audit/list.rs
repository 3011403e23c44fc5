//! Pages of the audit log.

use crate::caller::Administrator;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemKind};
use crate::read::{Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::ids::{ProjectId, UserId};
use shared::store::audit::{AuditFilter, AuditRecord, Tenant};
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditList {
    /// Who did it.
    #[param(value_type = Option<Uuid>)]
    user_id: Option<UserId>,
    /// Part of the name or the address of who did it, in whatever case.
    #[param(min_length = 1, max_length = 200)]
    who: Option<String>,
    /// As `review.decide`.
    action: Option<String>,
    subject_kind: Option<String>,
    /// Needs `subject_kind`.
    subject_id: Option<String>,
    from: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    /// Only records before this number: that of the last one of the page before.
    #[param(minimum = 1)]
    after: Option<i64>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

fn word(text: &str) -> Result<String, String> {
    let is_one = (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if is_one { Ok(text.to_owned()) } else { Err("must be 1 to 100 printable characters".to_owned()) }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a number of a record".to_owned())
}

impl ReadQuery for AuditList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let user_id = parameters.optional("user_id", Parameters::id);
        let who = parameters.optional("who", page::text);
        let action = parameters.optional("action", word);
        let subject_kind = parameters.optional("subject_kind", word);
        let subject_id = parameters.optional("subject_id", word);
        let from = parameters.optional("from", crate::jobs::moment);
        let before = parameters.optional("before", crate::jobs::moment);
        let after = parameters.optional("after", number);
        let limit = page::limit(parameters);
        Some(Self { user_id, who, action, subject_kind, subject_id, from, before, after, limit })
    }
}

#[derive(Serialize, ToSchema)]
struct AccountAnswer {
    name: String,
    email: String,
}

/// One thing that happened. Its hash is over the hash before it and all the other members but `account`.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct AuditAnswer {
    /// Within the project, from 1.
    number: i64,
    at: DateTime<Utc>,
    action: Value,
    /// `kind` and `id`.
    #[schema(value_type = Object)]
    subject: Value,
    /// `user_id`, `name`, `email`, `ip`, `user_agent`, `request_id`: name and address as they were.
    #[schema(value_type = Object)]
    by: Value,
    /// As they are today, of an account that is there; no part of the hash.
    #[schema(inline)]
    account: Option<AccountAnswer>,
    before: Value,
    after: Value,
    /// SHA-256, hexadecimal.
    hash: String,
}

impl From<AuditRecord> for AuditAnswer {
    fn from(record: AuditRecord) -> Self {
        let mut content: Value = serde_json::from_str(&record.content).unwrap_or_default();
        let mut take = |name: &str| content.get_mut(name).map(Value::take).unwrap_or_default();
        Self {
            number: record.seq,
            at: record.at,
            action: take("action"),
            subject: take("subject"),
            by: take("by"),
            account: record
                .user_name
                .zip(record.user_email)
                .map(|(name, email)| AccountAnswer { name, email }),
            before: take("before"),
            after: take("after"),
            hash: record.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// Newest first.
    items: Vec<AuditAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

async fn list(api: &Api, tenant: Tenant, path: &str, query: AuditList) -> Result<Json<AuditPage>, Problem> {
    if query.subject_id.is_some() && query.subject_kind.is_none() {
        return Err(Problem::new(ProblemKind::Invalid, "subject_id needs subject_kind"));
    }
    let filter = AuditFilter {
        user_id: query.user_id,
        who: query.who.clone(),
        action: query.action.clone(),
        subject_kind: query.subject_kind.clone(),
        subject_id: query.subject_id.clone(),
        from: query.from,
        before: query.before,
    };
    let found = api.store.audit_records(tenant, &filter, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let escaped = |text: Option<String>| text.as_deref().map(crate::jobs::escaped);
    let moment = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let kept = [
        ("user_id", query.user_id.map(|user| user.to_string())),
        ("who", escaped(query.who)),
        ("action", escaped(query.action)),
        ("subject_kind", escaped(query.subject_kind)),
        ("subject_id", escaped(query.subject_id)),
        ("from", moment(query.from)),
        ("before", moment(query.before)),
        ("limit", Some(query.limit.to_string())),
    ];
    let next = page.next(path, &kept, |last| last.seq);
    Ok(Json(AuditPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Who did what in a project, newest first.
#[utoipa::path(
    get, path = "/api/projects/{id}/audit", tag = "audit", security(("access_token" = [])),
    params(("id" = Uuid, Path), AuditList),
    responses((status = 200, description = "A page of records", body = AuditPage))
)]
pub(crate) async fn list_audit(
    State(api): State<Api>,
    PathId(id): PathId<ProjectId>,
    Query(query): Query<AuditList>,
) -> Result<Json<AuditPage>, Problem> {
    list(&api, id.into(), &format!("/api/projects/{id}/audit"), query).await
}

/// What belongs to no project: logins, denied access, queues, limits. For platform administrators.
#[utoipa::path(
    get, path = "/api/audit", tag = "administration", security(("access_token" = [])), params(AuditList),
    responses((status = 200, description = "A page of records", body = AuditPage))
)]
pub(crate) async fn list_system_audit(
    State(api): State<Api>,
    _: Administrator,
    Query(query): Query<AuditList>,
) -> Result<Json<AuditPage>, Problem> {
    list(&api, Tenant::SYSTEM, "/api/audit", query).await
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::AuditList>();
    }
}
