//! Writing the audit log: every route that changes something takes [`Audit`] and writes one record before it commits.

mod denied;
mod list;

pub(crate) use denied::note_denied;

use crate::caller::Caller;
use crate::problem::Problem;
use crate::request_id::RequestId;
use crate::state::Api;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use serde_json::Value;
use shared::ids::{ProjectId, UserId};
use shared::store::audit::{AuditedBy, NewAuditRecord, Tenant, append};
use shared::store::{Connection, StoreError};
use std::convert::Infallible;
use std::net::SocketAddr;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list::list_audit)).routes(routes!(list::list_system_audit))
}

/// Longest part of a user agent that is kept.
const USER_AGENT_CHARS: usize = 300;

/// Where a connection comes from; put into each request by whoever accepts connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    by: AuditedBy,
}

impl FromRequestParts<Api> for Audit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let caller: Result<Caller, Problem> = Caller::from_request_parts(parts, api).await;
        Ok(Self::of(parts, caller.ok().map(|caller| caller.user_id)))
    }
}

impl Audit {
    pub(crate) fn of(parts: &Parts, user_id: Option<UserId>) -> Self {
        let user_agent = parts.headers.get(header::USER_AGENT).map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect()
        });
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.as_str().to_owned());
        let ip = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical().to_string());
        Self { by: AuditedBy { user_id, name: None, ip, user_agent, request_id } }
    }

    /// Something of a project.
    pub fn change(
        &self,
        project_id: ProjectId,
        action: &'static str,
        subject: (&'static str, impl Into<String>),
    ) -> AuditLine {
        self.line(project_id.into(), action, subject)
    }

    /// Something that belongs to no project.
    pub fn system(&self, action: &'static str, subject: (&'static str, impl Into<String>)) -> AuditLine {
        self.line(Tenant::SYSTEM, action, subject)
    }

    /// Something of a project, or of none.
    pub fn of_project_or_system(
        &self,
        project_id: Option<ProjectId>,
        action: &'static str,
        subject: (&'static str, impl Into<String>),
    ) -> AuditLine {
        self.line(project_id.map_or(Tenant::SYSTEM, Into::into), action, subject)
    }

    /// By somebody whose token this request does not carry: who is just logging in.
    pub fn by(mut self, user_id: Option<UserId>, name: Option<String>) -> Self {
        self.by.user_id = user_id;
        self.by.name = name;
        self
    }

    fn line(
        &self,
        tenant: Tenant,
        action: &'static str,
        (subject_kind, subject_id): (&'static str, impl Into<String>),
    ) -> AuditLine {
        let by = self.by.clone();
        let subject_id = subject_id.into();
        AuditLine(NewAuditRecord { tenant, action, subject_kind, subject_id, before: None, after: None, by })
    }
}

/// One record, before it is written.
#[must_use = "only `write` writes it"]
pub(crate) struct AuditLine(NewAuditRecord);

impl AuditLine {
    pub fn before(mut self, before: impl Into<Option<Value>>) -> Self {
        self.0.before = before.into();
        self
    }

    pub fn after(mut self, after: impl Into<Option<Value>>) -> Self {
        self.0.after = after.into();
        self
    }

    /// In the transaction of the change, as its last statement.
    pub async fn write(self, conn: &mut Connection) -> Result<(), StoreError> {
        append(conn, self.0).await
    }

    /// For what changes nothing: a login, an export, a denial.
    pub async fn write_alone(self, api: &Api) -> Result<(), StoreError> {
        let mut tx = api.store.begin().await?;
        append(&mut tx, self.0).await?;
        Ok(tx.commit().await?)
    }
}
