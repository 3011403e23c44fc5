//! The jobs that send notifications: one delivery each.
//!
//! A worker that dies between the other side's answer and our record leaves the delivery waiting, and the next attempt
//! sends it again: at least once on the wire. What is sent has the same id each time (`Message-ID`, `webhook-id`,
//! PagerDuty's `dedup_key`, the SMS service's token), so that it counts once.

use crate::body::{Done, JobBody, JobError};
use crate::channels::{Asked, Channels, SendError};
use crate::context::JobContext;
use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use serde_json::json;
use shared::ids::{DeliveryId, WebhookId};
use shared::job::JobKind;
use shared::notification::Channel;
use shared::store::notifications::deliveries::{self, Delivery, DeliveryEnd, DeliveryState};
use shared::store::notifications::webhooks;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Deliver {
    pub kind: JobKind,
    pub channels: Arc<Channels>,
    pub time_limit: Duration,
}

impl JobBody for Deliver {
    fn kind(&self) -> JobKind {
        self.kind.clone()
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }

    fn run(self: Arc<Self>, context: JobContext) -> BoxFuture<'static, Result<Done, JobError>> {
        Box::pin(async move { self.deliver(context).await })
    }
}

impl Deliver {
    async fn deliver(&self, context: JobContext) -> Result<Done, JobError> {
        let id = context.lease().args["delivery_id"].as_str().and_then(|text| text.parse().ok());
        let id: DeliveryId =
            id.ok_or_else(|| JobError::Discard { says: "the job names no delivery".into() })?;
        let Some(delivery) = context.store().delivery(id).await? else {
            return Ok(Done::Result(json!({"outcome": "gone"})));
        };
        match delivery.state {
            // A dead job that somebody started over.
            DeliveryState::Waiting | DeliveryState::Failed => {}
            state => return Ok(Done::Result(json!({"outcome": state}))),
        }
        match delivery.channel {
            Channel::Webhook => self.to_webhook(&context, &delivery).await,
            Channel::Email if context.store().has_bounced(&delivery.recipient).await? => {
                let says = "the address bounced before".to_owned();
                end(&context, &delivery, DeliveryEnd::Failed { says }, None).await
            }
            _ => {
                let sent = tokio::select! {
                    sent = self.channels.send(&delivery) => sent,
                    _ = context.stopped() => return Err(JobError::Stopped),
                };
                settle(&context, &delivery, sent, None).await
            }
        }
    }

    async fn to_webhook(&self, context: &JobContext, delivery: &Delivery) -> Result<Done, JobError> {
        let id: Option<WebhookId> = delivery.recipient.parse().ok();
        let target = match id {
            Some(id) => context.store().webhook_target(id).await?,
            None => None,
        };
        let (Some(id), Some(target)) = (id, target) else {
            let end_as = DeliveryEnd::Failed { says: "the webhook was removed".into() };
            return end(context, delivery, end_as, None).await;
        };
        if target.is_disabled {
            let end_as = DeliveryEnd::Failed { says: "the webhook is switched off".into() };
            return end(context, delivery, end_as, None).await;
        }
        let (asked, sent) = tokio::select! {
            asked = self.channels.call_webhook(delivery, &target) => asked,
            _ = context.stopped() => return Err(JobError::Stopped),
        };
        let failing_max = TimeDelta::days(self.channels.webhook_failing_days().into());
        settle(context, delivery, sent, Some(Called { id, asked, failing_max })).await
    }
}

/// A webhook that was asked.
struct Called {
    id: WebhookId,
    asked: Asked,
    failing_max: TimeDelta,
}

async fn settle(
    context: &JobContext,
    delivery: &Delivery,
    sent: Result<(), SendError>,
    called: Option<Called>,
) -> Result<Done, JobError> {
    let lease = context.lease();
    match sent {
        Ok(()) => end(context, delivery, DeliveryEnd::Sent, called).await,
        Err(SendError::Bounced { says }) => {
            end(context, delivery, DeliveryEnd::Bounced { says }, called).await
        }
        Err(SendError::Refused { says }) => {
            end(context, delivery, DeliveryEnd::Failed { says }, called).await
        }
        Err(SendError::Passing { says }) => {
            let is_last = lease.attempt >= lease.attempts_max;
            let mut tx = context.begin().await?;
            if let Some(called) = &called {
                note_call(tx.connection(), delivery, called, Some(&says)).await?;
            }
            if is_last {
                let end_as = DeliveryEnd::Failed { says: says.clone() };
                deliveries::finish(tx.connection(), delivery.id, &end_as).await?;
            } else {
                deliveries::note_try(tx.connection(), delivery.id, &says).await?;
            }
            tx.commit().await?;
            count(delivery.channel, if is_last { "given_up" } else { "retried" });
            // Dead, if it was the last: for whoever looks through dead jobs and starts them over.
            Err(JobError::Retry { says })
        }
    }
}

async fn end(
    context: &JobContext,
    delivery: &Delivery,
    end_as: DeliveryEnd,
    called: Option<Called>,
) -> Result<Done, JobError> {
    let (outcome, says) = match &end_as {
        DeliveryEnd::Sent => ("sent", None),
        DeliveryEnd::Bounced { says } => ("bounced", Some(says.clone())),
        DeliveryEnd::Failed { says } => ("given_up", Some(says.clone())),
    };
    let mut tx = context.begin().await?;
    if let Some(called) = &called {
        note_call(tx.connection(), delivery, called, says.as_deref()).await?;
    }
    deliveries::finish(tx.connection(), delivery.id, &end_as).await?;
    let state = tx.complete(json!({"outcome": outcome, "says": says})).await?;
    count(delivery.channel, outcome);
    if let Some(says) = says {
        // Addresses are not written to the log.
        tracing::warn!(delivery_id = %delivery.id, channel = delivery.channel.as_str(), outcome, says, "not delivered");
    }
    Ok(Done::Released(state))
}

async fn note_call(
    conn: &mut shared::store::Connection,
    delivery: &Delivery,
    called: &Called,
    error: Option<&str>,
) -> Result<(), JobError> {
    let Asked { status, duration_ms } = called.asked;
    webhooks::note_request(conn, delivery.id, status, duration_ms, error).await?;
    let (works, is_gone) = (error.is_none(), status == Some(410));
    if webhooks::note_health(conn, called.id, works, is_gone, called.failing_max).await? {
        metrics::counter!("counterfoil_notifications_webhooks_disabled_total").increment(1);
        tracing::warn!(webhook_id = %called.id, "a webhook was switched off");
    }
    Ok(())
}

fn count(channel: Channel, outcome: &'static str) {
    metrics::counter!(
        "counterfoil_notifications_deliveries_total", "channel" => channel.as_str(), "outcome" => outcome
    )
    .increment(1);
    if channel == Channel::Email {
        metrics::counter!("counterfoil_mails_total", "outcome" => outcome).increment(1);
    }
}
