//! Webhooks after the Standard Webhooks specification 1.0.

use super::http::Http;
use super::signature::sign;
use super::{Asked, SendError};
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use shared::sealing::Sealing;
use shared::store::notifications::deliveries::Delivery;
use shared::store::notifications::webhooks::WebhookTarget;
use uuid::Uuid;

pub(super) async fn call(
    http: &Http,
    sealing: Option<&Sealing>,
    delivery: &Delivery,
    target: &WebhookTarget,
) -> (Asked, Result<(), SendError>) {
    let nothing = Asked { status: None, duration_ms: 0 };
    let secrets = match open(sealing, delivery, target) {
        Ok(secrets) => secrets,
        Err(error) => return (nothing, Err(error)),
    };
    let body = body(delivery);
    // The same for every try of this delivery; the time is that of the try, so that old requests can be told.
    let (id, at) = (format!("msg_{}", delivery.id.0.simple()), Utc::now().timestamp());
    let signatures: Vec<String> = secrets.iter().map(|secret| sign(secret, &id, at, &body)).collect();
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    let (answer, duration_ms) = http.post(&target.url, headers, body).await;
    match answer {
        Ok(answer) => (Asked { status: Some(answer.status), duration_ms }, judge(answer.status)),
        Err(error) => (Asked { status: None, duration_ms }, Err(error)),
    }
}

/// Every status but 2xx is a failure, and most may pass: whoever is asked is under repair more often than not.
fn judge(status: u16) -> Result<(), SendError> {
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(SendError::passing(format!("it answered {status}, and redirects are not followed"))),
        410 => Err(SendError::refused("it answered 410: it is gone for good")),
        _ => Err(SendError::passing(format!("it answered {status}"))),
    }
}

/// The live secrets, newest first.
fn open(
    sealing: Option<&Sealing>,
    delivery: &Delivery,
    target: &WebhookTarget,
) -> Result<Vec<Vec<u8>>, SendError> {
    let sealing = sealing.ok_or_else(|| SendError::passing("auth.sealing_key is not set in this worker"))?;
    let owner: Uuid = delivery.recipient.parse().unwrap_or_default();
    let sealed = [Some(&target.secret), target.previous_secret.as_ref()];
    let opened = sealed.into_iter().flatten().map(|secret| sealing.open(owner, secret));
    let opened: Option<Vec<_>> = opened.collect();
    opened
        .ok_or_else(|| SendError::passing("auth.sealing_key is another one than the secret was sealed with"))
}

fn body(delivery: &Delivery) -> Vec<u8> {
    let message = delivery.event.message();
    let mut data = delivery.data.clone();
    if let Value::Object(members) = &mut data {
        members.remove("type");
        members.insert("project_id".into(), json!(delivery.project_id));
        members.insert("title".into(), json!(message.title));
        members.insert("severity".into(), json!(delivery.severity));
    }
    let body = json!({
        "type": delivery.event.kind().as_str(),
        "timestamp": delivery.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "data": data,
    });
    body.to_string().into_bytes()
}
