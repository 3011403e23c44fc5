//! The layer around every request.

use super::actions::{self, ELSEWHERE};
use crate::problem::{Problem, ProblemKind};
use crate::quota::Client;
use crate::request_id::RequestId;
use crate::state::Api;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use shared::ids::JobId;
use shared::store::StoreError;
use shared::store::audit::{AuditedBy, Context, Note, Tenant};
use shared::store::reach::Reach;
use std::sync::Arc;

/// Both ways to log in; who fails is written down, too.
const LOGINS: [&str; 2] = ["/api/auth/login", "/api/auth/provider/finish"];
/// Longest part of a user agent that is kept.
const USER_AGENT_CHARS: usize = 300;

/// Puts who asks behind whatever the request changes, and writes down what changes nothing: denied access, logins,
/// exports. Those are written before the answer leaves. A database that is away does not turn a refusal into anything
/// else; an export that cannot be written down does not happen.
pub(crate) async fn watch(State(api): State<Api>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let path: String = request.uri().path().chars().take(200).collect();
    let changes = actions::name_of(&method, &route);
    let context = Context::new(changes.clone().unwrap_or_else(|| "access".into()), from(&api, &request));
    let response = context.clone().around(next.run(request)).await;

    let status = response.status();
    let kind = response.extensions().get::<Arc<Problem>>().map(|problem| problem.kind);
    let asked = json!({"method": method.as_str(), "path": path, "status": status.as_u16()});
    let is_login = LOGINS.contains(&route.as_str())
        && (status.is_success()
            || status == StatusCode::UNAUTHORIZED
            || matches!(kind, Some(ProblemKind::NotLetIn | ProblemKind::AccountDisabled)));
    let written = if is_login {
        let action = if status.is_success() { "account.log_in" } else { "account.log_in_failed" };
        let subject = context.user_id().map_or_else(|| "unknown".into(), |user| user.to_string());
        write(&api, &context, action, Note::of(Tenant::SYSTEM, "user", subject)).await
    } else if matches!(kind, Some(ProblemKind::Forbidden | ProblemKind::NotFound))
        && context.user_id().is_some()
    {
        let note = Note::of(Tenant::SYSTEM, "route", &route).after(asked);
        write(&api, &context, "access.denied", note).await
    } else if status.is_success() && method.is_safe() && actions::is_export(&route) {
        match export(&api, &context, &path, asked).await {
            Ok(()) => Ok(()),
            Err(error) => return Problem::from(error).into_response(),
        }
    } else if status.is_success() && ELSEWHERE.contains(&route.as_str()) {
        let action = changes.clone().unwrap_or_default();
        write(&api, &context, &action, Note::of(Tenant::SYSTEM, "dead_letters", "all").after(asked)).await
    } else {
        Ok(())
    };
    if let Err(error) = written {
        metrics::counter!("counterfoil_audit_failed_total").increment(1);
        tracing::error!(error = shared::chain(&error), route, path, "something is not in the audit log");
    }
    response
}

fn from(api: &Api, request: &Request) -> AuditedBy {
    let user_agent = request.headers().get(header::USER_AGENT).map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect()
    });
    let ip = Some(Client::of(request, &api.quotas).ip.to_string());
    let request_id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned());
    AuditedBy { user_id: None, name: None, ip, user_agent, request_id }
}

/// Outside of the guard, and so as the system: the chain may be any tenant's.
async fn write(api: &Api, context: &Context, action: &str, note: Note) -> Result<(), StoreError> {
    let writing = async {
        let mut tx = api.store.begin().await?;
        note.write_as(&mut tx, context, action).await?;
        Ok(tx.commit().await?)
    };
    Reach::System("audit").around(writing).await
}

/// Into the chain of the project whose results leave.
async fn export(
    api: &Api,
    context: &Context,
    path: &str,
    asked: serde_json::Value,
) -> Result<(), StoreError> {
    let id = path.split('/').find_map(|part| part.parse::<JobId>().ok());
    let run = match id {
        Some(id) => Reach::System("audit").around(api.store.reconciliation(id)).await?,
        None => None,
    };
    let tenant = run.map_or(Tenant::SYSTEM, |run| run.project_id.into());
    let subject = id.map_or_else(String::new, |id| id.to_string());
    write(api, context, "export.download", Note::of(tenant, "reconciliation", subject).after(asked)).await
}
