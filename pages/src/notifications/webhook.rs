//! One webhook: what it is sent, what it answered, and sending again.

use super::webhooks::{EventChoice, Webhook, Webhooks, api, body_of, event_choices};
use crate::admin::Secret;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Fields, Posted, refusal};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Delivery {
    pub id: String,
    pub event: String,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub tries: Vec<Try>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Try {
    pub number: i64,
    pub at: DateTime<Utc>,
    pub status: Option<i64>,
    pub duration_ms: i64,
    pub error: Option<String>,
}

impl Delivery {
    pub fn last(&self) -> Option<&Try> {
        self.tries.iter().max_by_key(|one| one.number)
    }
}

#[derive(Template)]
#[template(path = "notifications/webhook.html")]
pub(crate) struct WebhookPage {
    pub shell: Shell,
    pub webhook: Webhook,
    pub events: Vec<EventChoice>,
    pub deliveries: Vec<Delivery>,
    pub next: Option<String>,
    pub is_first: bool,
    pub done: Option<String>,
    pub made: Option<Secret>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

const SHOWN: u32 = 50;

pub(super) async fn show(
    visit: Visit,
    Path(names): Names,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    page(&visit, &id_of(&names), &asked, None, Told::nothing()).await
}

async fn page(
    visit: &Visit,
    id: &str,
    asked: &Fields,
    made: Option<Secret>,
    told: Told,
) -> Result<Response, Refusal> {
    let after =
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default();
    let of_deliveries = format!("/api/webhooks/{id}/deliveries?limit={SHOWN}{after}");
    let (of_webhook, of_events) = (format!("/api/webhooks/{id}"), api(visit));
    let (webhook, deliveries, known) = tokio::join!(
        visit.ask.get::<Webhook>(&of_webhook),
        visit.ask.get::<Items<Delivery>>(&of_deliveries),
        visit.ask.get::<Webhooks>(&of_events)
    );
    let (webhook, deliveries) = (webhook?, deliveries?);
    let shell = visit.shell("webhooks");
    let Told { status, trouble, mistakes } = told;
    let page = WebhookPage {
        events: event_choices(known?.known_events, |event| webhook.events.iter().any(|known| known == event)),
        next: deliveries.after().map(|after| format!("{}/webhooks/{id}?after={after}", shell.base())),
        deliveries: deliveries.items,
        is_first: after.is_empty(),
        done: asked.given("done").map(str::to_owned),
        shell,
        webhook,
        made,
        trouble,
        mistakes,
    };
    Ok(visit.page_of(status, &page))
}

#[derive(Deserialize)]
struct NewSecret {
    secret: String,
}

#[derive(Deserialize)]
struct Resent {
    resent: i64,
}

pub(super) async fn act(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let path = format!("/api/webhooks/{id}");
    let done = match names.get("action").map(String::as_str) {
        Some("change") => {
            visit.ask.patch::<Value>(&path, &body_of(&form)).await.map(|_| "It is changed".to_owned())
        }
        Some("enable") => {
            visit.ask.act(&format!("{path}/enable"), None).await.map(|()| "It is switched on".to_owned())
        }
        Some("test") => {
            let sent = visit.ask.act(&format!("{path}/test"), None).await;
            sent.map(|()| "A test is on its way; its delivery is listed in a moment".to_owned())
        }
        Some("secret") => match visit.ask.post::<NewSecret>(&format!("{path}/secret"), &Value::Null).await {
            Ok(NewSecret { secret }) => {
                let made = Secret { title: "The new secret. It is not shown again", text: secret };
                return page(&visit, &id, &Fields::default(), Some(made), Told::nothing()).await;
            }
            Err(refused) => Err(refused),
        },
        Some("resend") => {
            let body = match form.given("delivery") {
                Some(delivery) => json!({"deliveries": [delivery]}),
                None => match visit.shell.preferences.instant(form.get("since")) {
                    Some(since) => json!({"failed_since": since.to_rfc3339_opts(SecondsFormat::Secs, true)}),
                    None => {
                        let told = Told::mistake("since", "is no time on your clock");
                        return page(&visit, &id, &Fields::default(), None, told).await;
                    }
                },
            };
            let resent = visit.ask.post::<Resent>(&format!("{path}/resend"), &body).await;
            resent.map(|Resent { resent }| match resent {
                0 => "There was nothing to send again".to_owned(),
                1 => "One delivery is sent again".to_owned(),
                n => format!("{} deliveries are sent again", visit.shell.number(n)),
            })
        }
        Some("remove") => {
            visit.ask.delete(&path).await?;
            return Ok(Redirect::to(&format!("{}/webhooks", visit.shell.base())).into_response());
        }
        _ => return Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    };
    match done {
        Ok(says) => {
            let target = format!("{}/webhooks/{id}?done={}", visit.shell.base(), escape_query(&says));
            Ok(Redirect::to(&target).into_response())
        }
        Err(refused) if is_explained(&refused) => {
            page(&visit, &id, &Fields::default(), None, Told::of(Some(refused))).await
        }
        Err(refused) => Err(refused),
    }
}
