//! API keys of machines: made, shown once, revoked.

use super::Secret;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Posted;
use crate::problem::Mistake;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ApiKey {
    pub id: String,
    pub name: String,
    pub role: String,
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "admin/keys.html")]
pub(crate) struct KeysPage {
    pub shell: Shell,
    /// With whether they have expired.
    pub keys: Vec<(ApiKey, bool)>,
    pub made: Option<Secret>,
    pub trouble: Option<String>,
    pub mistakes: Vec<Mistake>,
}

fn api(visit: &Visit, below: &str) -> String {
    format!("/api/projects/{}/api-keys{below}", visit.project_id().unwrap_or_default())
}

pub(super) async fn list(visit: Visit) -> Result<Response, Refusal> {
    page(&visit, None, None).await
}

async fn page(visit: &Visit, made: Option<Secret>, refused: Option<Refusal>) -> Result<Response, Refusal> {
    let keys: Items<ApiKey> = visit.ask.get(&api(visit, "")).await?;
    let shell = visit.shell("keys");
    let (status, trouble, mistakes) = match refused {
        None => (StatusCode::OK, None, vec![]),
        Some(Refusal { status, document, .. }) => {
            (status, document.errors.is_empty().then(|| document.detail.clone()), document.errors)
        }
    };
    let with_end = |key: ApiKey| {
        let has_expired = key.expires_at <= shell.now;
        (key, has_expired)
    };
    let keys = keys.items.into_iter().map(with_end).collect();
    Ok(visit.page_of(status, &KeysPage { keys, shell, made, trouble, mistakes }))
}

#[derive(Deserialize)]
struct NewKey {
    key: String,
}

pub(super) async fn create(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let mut body = json!({"name": form.get("name"), "role": form.get("role")});
    if let Some(days) = form.given("days") {
        body["days"] = days.parse::<u32>().map_or(json!(days), |days| json!(days));
    }
    match visit.ask.post::<NewKey>(&api(&visit, ""), &body).await {
        Ok(made) => {
            let secret = Secret { title: "The key. It is not shown again", text: made.key };
            page(&visit, Some(secret), None).await
        }
        Err(refused) if matches!(refused.status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) => {
            page(&visit, None, Some(refused)).await
        }
        Err(refused) => Err(refused),
    }
}

pub(super) async fn revoke(visit: Visit, Path(names): Names, _: Posted) -> Result<Redirect, Refusal> {
    visit.ask.delete(&api(&visit, &format!("/{}", id_of(&names)))).await?;
    Ok(Redirect::to(&format!("{}/keys", visit.shell.base())))
}
