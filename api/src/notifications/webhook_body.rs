//! Webhooks as clients write and read them.

use crate::read::{Fields, Place, ReadBody, list, text};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::notification::EventKind;
use shared::store::notifications::webhooks::Webhook;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookBody {
    /// `https://…`; it has to be a public address unless the operator allows others.
    #[schema(max_length = 2000)]
    pub url: String,
    #[schema(value_type = Option<String>, max_length = 200, nullable = false)]
    pub description: String,
    /// Only these events; without them, all.
    #[schema(value_type = Option<Vec<String>>, max_items = 50, nullable = false)]
    pub events: Vec<String>,
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookChangeBody {
    #[schema(max_length = 2000, nullable = false)]
    pub url: Option<String>,
    #[schema(max_length = 200, nullable = false)]
    pub description: Option<String>,
    /// All, when empty.
    #[schema(max_items = 50, nullable = false)]
    pub events: Option<Vec<String>>,
}

/// Where a name leads is looked at with each request; here only that it can be an address at all.
fn address(value: Value, place: &mut Place<'_>) -> Option<String> {
    let text = text(8..=2000)(value, place)?;
    let Ok(url) = Url::parse(&text) else { return place.wrong("format", "must be an address, https://…") };
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
        return place.wrong("format", "must be an address that begins with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return place.wrong("password", "must not hold a password; requests are signed instead");
    }
    if url.fragment().is_some() {
        return place.wrong("fragment", "must not have a #fragment, which is never sent");
    }
    Some(url.into())
}

fn event(value: Value, place: &mut Place<'_>) -> Option<String> {
    let name = text(1..=100)(value, place)?;
    match EventKind::parse(&name).filter(|kind| kind.is_for_webhooks()) {
        Some(kind) => Some(kind.as_str().to_owned()),
        None => {
            let known = EventKind::ALL.into_iter().filter(|kind| kind.is_for_webhooks());
            let known = known.map(EventKind::as_str).collect::<Vec<_>>().join(", ");
            place.wrong("unknown", format!("there is no such event for webhooks; known are {known}"))
        }
    }
}

impl ReadBody for NewWebhookBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let url = fields.required("url", address);
        let description = fields.optional("description", text(0..=200)).unwrap_or_default();
        let events = fields.optional("events", list(50, event)).unwrap_or_default();
        Some(Self { url: url?, description, events })
    }
}

impl ReadBody for WebhookChangeBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let url = fields.optional("url", address);
        let description = fields.optional("description", text(0..=200));
        let events = fields.optional("events", list(50, event));
        Some(Self { url, description, events })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookAnswer {
    pub id: Uuid,
    /// Null: gets what happens to the system itself.
    project_id: Option<Uuid>,
    url: String,
    description: String,
    /// Empty: all.
    events: Vec<String>,
    created_at: DateTime<Utc>,
    /// Until then the secret before the last change signs, too.
    previous_secret_until: Option<DateTime<Utc>>,
    /// The first failure since the last success.
    failing_since: Option<DateTime<Utc>>,
    /// Switched off since then, and why.
    disabled_at: Option<DateTime<Utc>>,
    disabled_for: Option<String>,
}

impl From<Webhook> for WebhookAnswer {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.0,
            project_id: webhook.project_id.map(|id| id.0),
            url: webhook.url,
            description: webhook.description,
            events: webhook.events,
            created_at: webhook.created_at,
            previous_secret_until: webhook.previous_until,
            failing_since: webhook.failing_since,
            disabled_at: webhook.disabled_at,
            disabled_for: webhook.disabled_for,
        }
    }
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewWebhookAnswer {
    pub webhook: WebhookAnswer,
    /// `whsec_…`, as libraries for Standard Webhooks take it.
    pub secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::assert_schema_is_read;
    use crate::read::draft;
    use serde_json::json;

    #[test]
    fn input_is_read_as_documented() {
        assert_schema_is_read::<NewWebhookBody>();
        assert_schema_is_read::<WebhookChangeBody>();
    }

    #[test]
    fn addresses_are_such_that_can_be_asked() {
        for (url, code) in [
            ("https://hooks.example.org/x?y=1", None),
            ("http://10.0.0.7:8080/x", None),
            ("ftp://example.org/x", Some("format")),
            ("file:///etc/passwd", Some("format")),
            ("https://u:p@example.org/", Some("password")),
            ("https://example.org/#x", Some("fragment")),
            ("example.org/x", Some("format")),
        ] {
            let draft = draft::<NewWebhookBody>(json!({ "url": url }));
            assert_eq!(draft.mistakes.first().map(|mistake| mistake.code), code, "{url}");
        }
    }
}
