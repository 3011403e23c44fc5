//! Slack's incoming webhooks.

use super::SendError;
use super::http::{Http, judge};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::notification::Severity;
use shared::store::notifications::deliveries::Delivery;

/// Slack knows no ids of messages: one that is sent twice is there twice.
pub(super) async fn send(
    http: &Http,
    url: &SecretString,
    public_url: Option<&str>,
    delivery: &Delivery,
) -> Result<(), SendError> {
    let body = json!({"text": text(public_url, delivery)}).to_string();
    let headers = vec![("content-type", "application/json".to_owned())];
    let (answer, _) = http.post(url.expose_secret(), headers, body.into_bytes()).await;
    judge("Slack", &answer?)
}

fn text(public_url: Option<&str>, delivery: &Delivery) -> String {
    let message = delivery.event.message();
    let sign = match delivery.severity {
        Severity::Critical => ":rotating_light: ",
        Severity::Warning => ":warning: ",
        Severity::Info => "",
    };
    let mut text = format!("{sign}*{}*", escaped(&message.title));
    if !message.says.is_empty() {
        text.push_str(&format!("\n{}", escaped(message.says.trim_end())));
    }
    for fact in &message.facts {
        text.push_str(&format!("\n{}: {}", fact.label, escaped(&fact.value)));
    }
    if let (Some(url), Some(path)) = (public_url, &message.link) {
        text.push_str(&format!("\n<{url}{path}>"));
    }
    text
}

/// The three characters that mean something to Slack: without them nobody can put a link or a call to everybody into
/// a name.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
