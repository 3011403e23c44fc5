//! `/api/webhooks/{id}/deliveries` and `/resend`: the log of a webhook.

use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Parameters, PathId, Place, Query, ReadBody, ReadQuery, id, list, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::ids::{DeliveryId, WebhookId};
use shared::store::notifications::deliveries::DeliveryState;
use shared::store::notifications::webhooks::{LoggedDelivery, RESEND_MAX, Resent};
use shared::store::reach::Reach;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryList {
    /// Only deliveries older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<DeliveryId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for DeliveryList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::id);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDelivery {
    /// `webhook-id` is `msg_` and this, without hyphens.
    id: Uuid,
    notification_id: Uuid,
    event: String,
    state: StateWord,
    created_at: DateTime<Utc>,
    /// When it was sent or given up.
    finished_at: Option<DateTime<Utc>>,
    /// The last ten.
    tries: Vec<WebhookTry>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryState)]
pub(crate) enum StateWord {
    Waiting,
    Sent,
    Failed,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookTry {
    /// From 1.
    number: i32,
    at: DateTime<Utc>,
    /// Of the answer; null: none came.
    status: Option<i16>,
    duration_ms: i32,
    error: Option<String>,
}

impl From<LoggedDelivery> for WebhookDelivery {
    fn from(logged: LoggedDelivery) -> Self {
        let tries = logged.tries.0.into_iter().map(|one| WebhookTry {
            number: one.attempt,
            at: one.at,
            status: one.status,
            duration_ms: one.duration_ms,
            error: one.error,
        });
        Self {
            id: logged.id.0,
            notification_id: logged.notification_id.0,
            event: logged.event,
            state: match logged.state {
                DeliveryState::Sent => StateWord::Sent,
                DeliveryState::Waiting | DeliveryState::Held => StateWord::Waiting,
                _ => StateWord::Failed,
            },
            created_at: logged.created_at,
            finished_at: logged.finished_at,
            tries: tries.collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryPage {
    /// Newest first.
    items: Vec<WebhookDelivery>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// What was sent to a webhook, and what it answered.
#[utoipa::path(
    get, path = "/api/webhooks/{id}/deliveries", tag = "notifications",
    params(("id" = Uuid, Path), DeliveryList),
    responses((status = 200, description = "A page of deliveries", body = DeliveryPage))
)]
pub(crate) async fn list_webhook_deliveries(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    Query(query): Query<DeliveryList>,
) -> Result<Json<DeliveryPage>, Problem> {
    // Deliveries and their jobs are the system's own; the guard has decided about the webhook.
    let looking = api.store.webhook_deliveries(id, query.after, query.limit + 1);
    let found = Reach::System("deliveries of a webhook").around(looking).await?;
    let page = Page::cut(found, query.limit);
    let path = format!("/api/webhooks/{id}/deliveries");
    let next = page.next(&path, &[("limit", Some(query.limit.to_string()))], |last| last.id);
    Ok(Json(DeliveryPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resending {
    /// These, sent or failed; at most 1000.
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 1000, nullable = false)]
    deliveries: Option<Vec<DeliveryId>>,
    /// Or those that failed and are not older than this; at most 1000, oldest first.
    #[schema(nullable = false)]
    failed_since: Option<DateTime<Utc>>,
}

fn instant(value: Value, place: &mut Place<'_>) -> Option<DateTime<Utc>> {
    let text = text(10..=40)(value, place)?;
    let at = DateTime::parse_from_rfc3339(&text).ok();
    at.map(|at| at.to_utc()).or_else(|| place.wrong("format", "must be an instant: 2026-01-31T08:00:00Z"))
}

impl ReadBody for Resending {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let before = fields.mistakes();
        let deliveries = fields.optional("deliveries", list(RESEND_MAX as usize, id));
        let failed_since = fields.optional("failed_since", instant);
        if fields.mistakes() == before && deliveries.is_some() == failed_since.is_some() {
            return fields.wrong("choice", "give either deliveries or failed_since");
        }
        Some(Self { deliveries, failed_since })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ResentCount {
    resent: u64,
}

/// Send deliveries again, under the ids they had.
#[utoipa::path(
    post, path = "/api/webhooks/{id}/resend", tag = "notifications", params(("id" = Uuid, Path)),
    request_body = Resending,
    responses((status = 202, description = "On their way", body = ResentCount))
)]
pub(crate) async fn resend_to_webhook(
    State(api): State<Api>,
    PathId(id): PathId<WebhookId>,
    JsonBody(body): JsonBody<Resending>,
) -> Result<(StatusCode, Json<ResentCount>), Problem> {
    let which = match (body.deliveries, body.failed_since) {
        (_, Some(at)) => Resent::FailedSince(at),
        (ids, None) => Resent::These(ids.unwrap_or_default()),
    };
    let sending = api.store.resend_to_webhook(id, &which, &api.routing);
    let resent = Reach::System("deliveries of a webhook").around(sending).await?;
    if resent > 0 {
        api.relay_wake.notify_one();
    }
    Ok((StatusCode::ACCEPTED, Json(ResentCount { resent })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<DeliveryList>();
        crate::document::assert_schema_is_read::<Resending>();
    }
}
