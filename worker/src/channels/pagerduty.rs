//! PagerDuty's Events API v2.

use super::SendError;
use super::http::{Http, judge};
use chrono::SecondsFormat;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::notification::{Event, Severity};
use shared::store::notifications::deliveries::Delivery;

pub(super) struct PagerDuty {
    pub url: String,
    pub key: SecretString,
}

impl PagerDuty {
    /// Triggers an incident, or resolves it. All occurrences of a condition are one incident there, so that a request
    /// that is sent twice changes nothing.
    pub async fn send(&self, http: &Http, delivery: &Delivery) -> Result<(), SendError> {
        let key = self.key.expose_secret();
        let body = match &delivery.event {
            Event::ConditionOver { condition, .. } => {
                json!({"routing_key": key, "event_action": "resolve", "dedup_key": cut(condition, 255)})
            }
            event => {
                let message = event.message();
                let severity = match delivery.severity {
                    Severity::Critical => "critical",
                    Severity::Warning => "warning",
                    Severity::Info => "info",
                };
                let condition = event.condition().unwrap_or_else(|| delivery.notification_id.to_string());
                let facts = message.facts.iter().map(|fact| (fact.label.to_owned(), json!(fact.value)));
                let mut details: serde_json::Map<_, _> = facts.collect();
                details.insert("says".into(), json!(message.says));
                json!({
                    "routing_key": key, "event_action": "trigger", "dedup_key": cut(&condition, 255),
                    "payload": {
                        "summary": cut(&message.title, 1024), "source": "counterfoil", "severity": severity,
                        "timestamp": delivery.at.to_rfc3339_opts(SecondsFormat::Millis, true),
                        "class": event.kind().as_str(), "custom_details": details,
                    },
                })
            }
        };
        let headers = vec![("content-type", "application/json".to_owned())];
        let (answer, _) = http.post(&self.url, headers, body.to_string().into_bytes()).await;
        judge("PagerDuty", &answer?)
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}
