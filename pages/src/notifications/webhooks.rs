//! The webhooks of a project, or of the system.

use crate::admin::Secret;
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::problem::Mistake;
use crate::shell::{Scope, Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Webhook {
    pub id: String,
    pub url: String,
    pub description: String,
    /// Empty: all.
    pub events: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_for: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Webhooks {
    pub items: Vec<Webhook>,
    pub known_events: Vec<String>,
}

#[derive(Template)]
#[template(path = "notifications/webhooks.html")]
pub(crate) struct WebhooksPage {
    pub shell: Shell,
    pub webhooks: Vec<Webhook>,
    pub events: Vec<EventChoice>,
    pub typed: Fields,
    pub made: Option<Secret>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

/// An event in a form.
pub(crate) struct EventChoice {
    pub event: String,
    pub is_chosen: bool,
}

pub(super) fn api(visit: &Visit) -> String {
    match &visit.shell.scope {
        Scope::Project(project) => format!("/api/projects/{}/webhooks", project.id),
        _ => "/api/webhooks".to_owned(),
    }
}

pub(super) fn event_choices(known: Vec<String>, is_chosen: impl Fn(&str) -> bool) -> Vec<EventChoice> {
    let choice = |event: String| EventChoice { is_chosen: is_chosen(&event), event };
    known.into_iter().map(choice).collect()
}

/// Address, description and events; every event is the same as none.
pub(super) fn body_of(form: &Fields) -> Value {
    let events: Vec<&str> =
        form.iter().filter(|(name, _)| *name == "event").map(|(_, event)| event).collect();
    json!({"url": form.get("url"), "description": form.get("description"), "events": events})
}

pub(super) async fn list(visit: Visit) -> Result<Response, Refusal> {
    page(&visit, Fields::default(), None, Told::nothing()).await
}

async fn page(visit: &Visit, typed: Fields, made: Option<Secret>, told: Told) -> Result<Response, Refusal> {
    let Webhooks { items, known_events } = visit.ask.get(&api(visit)).await?;
    let is_typed = |event: &str| typed.iter().any(|(name, value)| name == "event" && value == event);
    let events = event_choices(known_events, is_typed);
    let Told { status, trouble, mistakes } = told;
    let shell = visit.shell("webhooks");
    let page = WebhooksPage { shell, webhooks: items, events, typed, made, trouble, mistakes };
    Ok(visit.page_of(status, &page))
}

#[derive(Deserialize)]
struct NewWebhook {
    secret: String,
}

pub(super) async fn add(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    match visit.ask.post::<NewWebhook>(&api(&visit), &body_of(&form)).await {
        Ok(NewWebhook { secret }) => {
            let made =
                Secret { title: "The secret that signs its requests. It is not shown again", text: secret };
            page(&visit, Fields::default(), Some(made), Told::nothing()).await
        }
        Err(refused) if is_explained(&refused) => {
            page(&visit, form.clone(), None, Told::of(Some(refused))).await
        }
        Err(refused) => Err(refused),
    }
}
