//! `/api/webhooks`, `/api/projects/{id}/webhooks`: addresses of other systems.

use super::webhook_body::{NewWebhookAnswer, NewWebhookBody, WebhookAnswer, WebhookChangeBody};
use crate::auth::Sealing;
use crate::caller::Caller;
use crate::problem::{Mistake, Problem, ProblemDocument, ProblemKind};
use crate::read::{JsonBody, PathId};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use serde::Serialize;
use shared::ids::{ProjectId, WebhookId};
use shared::notification::EventKind;
use shared::outgoing::GuardError;
use shared::sealing::SealingKey;
use shared::store::notifications::webhooks::NewWebhook;
use shared::store::reach::Reach;
use url::Url;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    /// Oldest first, at most 50.
    items: Vec<WebhookAnswer>,
    /// Every event that a webhook can be told of.
    known_events: Vec<&'static str>,
}

/// Webhooks that get what happens to the system itself.
#[utoipa::path(
    get, path = "/api/webhooks", tag = "notifications",
    responses((status = 200, description = "All of them", body = WebhookList))
)]
pub(crate) async fn list_system_webhooks(State(api): State<Api>) -> Result<Json<WebhookList>, Problem> {
    list(&api, None).await
}

/// The webhooks of a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/webhooks", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 200, description = "All of them", body = WebhookList))
)]
pub(crate) async fn list_project_webhooks(
    State(api): State<Api>,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<WebhookList>, Problem> {
    list(&api, Some(id)).await
}

async fn list(api: &Api, project_id: Option<ProjectId>) -> Result<Json<WebhookList>, Problem> {
    let found = api.store.webhooks(project_id).await?;
    let known_events = EventKind::ALL.into_iter().filter(|kind| kind.is_for_webhooks());
    Ok(Json(WebhookList {
        items: found.into_iter().map(Into::into).collect(),
        known_events: known_events.map(EventKind::as_str).collect(),
    }))
}

/// Add a webhook for what happens to the system itself. Its secret is shown this once.
#[utoipa::path(
    post, path = "/api/webhooks", tag = "notifications", request_body = NewWebhookBody,
    responses(
        (status = 201, description = "Added", body = NewWebhookAnswer),
        (status = 409, description = "There are 50 already", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add_system_webhook(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(body): JsonBody<NewWebhookBody>,
) -> Result<(StatusCode, Json<NewWebhookAnswer>), Problem> {
    add(&api, caller, None, body).await
}

/// Add a webhook to a project. Its secret is shown this once.
#[utoipa::path(
    post, path = "/api/projects/{id}/webhooks", tag = "notifications", params(("id" = Uuid, Path)),
    request_body = NewWebhookBody,
    responses(
        (status = 201, description = "Added", body = NewWebhookAnswer),
        (status = 409, description = "There are 50 already", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add_project_webhook(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<ProjectId>,
    JsonBody(body): JsonBody<NewWebhookBody>,
) -> Result<(StatusCode, Json<NewWebhookAnswer>), Problem> {
    add(&api, caller, Some(id), body).await
}

async fn add(
    api: &Api,
    caller: Caller,
    project_id: Option<ProjectId>,
    body: NewWebhookBody,
) -> Result<(StatusCode, Json<NewWebhookAnswer>), Problem> {
    leads_somewhere(api, &body.url)?;
    let (id, secret) = (WebhookId::new(), SealingKey::generate());
    let new = NewWebhook {
        id,
        project_id,
        url: body.url,
        description: body.description,
        events: body.events,
        secret: sealing(api)?.seal(id.0, &secret),
        created_by: caller.user_id,
    };
    if !api.store.add_webhook(&new).await? {
        return Err(Problem::new(ProblemKind::Conflict, "There are 50 webhooks already; remove one first"));
    }
    let webhook = api.store.webhook(id).await?.ok_or_else(Problem::not_found)?;
    let answer = NewWebhookAnswer { webhook: webhook.into(), secret: shown(&secret) };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Names are looked up with each request; an address that is written out is known to lead nowhere before.
fn leads_somewhere(api: &Api, url: &str) -> Result<(), Problem> {
    let Ok(url) = Url::parse(url) else { return Ok(()) };
    let checked = api.outgoing.check_literal(url.scheme(), url.host_str().unwrap_or_default());
    checked.map_err(|error| {
        let code = match error {
            GuardError::NotPublic => "not_public",
            GuardError::NeedsHttps => "needs_https",
        };
        let detail = format!("{error}, and the operator has not allowed it");
        Problem::invalid(vec![Mistake { pointer: Some("#/url".into()), parameter: None, code, detail }])
    })
}

fn sealing(api: &Api) -> Result<&Sealing, Problem> {
    api.sealing.as_ref().ok_or_else(|| {
        Problem::new(
            ProblemKind::Conflict,
            "This installation keeps no secrets of webhooks: auth.sealing_key is not set",
        )
    })
}

fn shown(secret: &[u8]) -> String {
    format!("whsec_{}", BASE64.encode(secret))
}

/// One webhook.
#[utoipa::path(
    get, path = "/api/webhooks/{id}", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The webhook, without its secret", body = WebhookAnswer))
)]
pub(crate) async fn show_webhook(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<WebhookAnswer>, Problem> {
    Ok(Json(api.store.webhook(id).await?.ok_or_else(Problem::not_found)?.into()))
}

/// Change what is given.
#[utoipa::path(
    patch, path = "/api/webhooks/{id}", tag = "notifications", params(("id" = Uuid, Path)),
    request_body = WebhookChangeBody,
    responses((status = 200, description = "Changed", body = WebhookAnswer))
)]
pub(crate) async fn change_webhook(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    JsonBody(body): JsonBody<WebhookChangeBody>,
) -> Result<Json<WebhookAnswer>, Problem> {
    let (url, description) = (body.url.as_deref(), body.description.as_deref());
    if let Some(url) = url {
        leads_somewhere(&api, url)?;
    }
    if !api.store.change_webhook(id, url, description, body.events.as_deref()).await? {
        return Err(Problem::not_found());
    }
    Ok(Json(api.store.webhook(id).await?.ok_or_else(Problem::not_found)?.into()))
}

/// Remove a webhook. What waits for it is not sent.
#[utoipa::path(
    delete, path = "/api/webhooks/{id}", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 204, description = "Removed"))
)]
pub(crate) async fn remove_webhook(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
) -> Result<StatusCode, Problem> {
    if api.store.remove_webhook(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecret {
    /// `whsec_…`, shown this once.
    secret: String,
    /// Until then the old one signs, too: each request has both signatures.
    previous_secret_until: DateTime<Utc>,
}

/// Give a webhook a new secret. The old one signs along for a while.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/secret", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The new secret", body = NewSecret))
)]
pub(crate) async fn change_webhook_secret(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
) -> Result<Json<NewSecret>, Problem> {
    let secret = SealingKey::generate();
    let sealed = sealing(&api)?.seal(id.0, &secret);
    let both_for = TimeDelta::hours(api.webhook_overlap_hours.into());
    if !api.store.change_webhook_secret(id, &sealed, both_for).await? {
        return Err(Problem::not_found());
    }
    let previous_secret_until = Utc::now() + both_for;
    Ok(Json(NewSecret { secret: shown(&secret), previous_secret_until }))
}

/// Switch a webhook on again.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/enable", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is on"))
)]
pub(crate) async fn enable_webhook(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
) -> Result<StatusCode, Problem> {
    if api.store.enable_webhook(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Send a test to a webhook, whatever events it wants.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/test", tag = "notifications", params(("id" = Uuid, Path)),
    responses((status = 202, description = "On its way; see its deliveries"))
)]
pub(crate) async fn test_webhook(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<WebhookId>,
) -> Result<StatusCode, Problem> {
    // Deliveries and their jobs are the system's own; the guard has decided about the webhook.
    let sending = api.store.test_webhook(id, caller.user_id, &api.routing);
    Reach::System("deliveries of a webhook").around(sending).await?;
    api.relay_wake.notify_one();
    Ok(StatusCode::ACCEPTED)
}
