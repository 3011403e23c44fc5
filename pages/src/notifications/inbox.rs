//! The inbox: newest first, what was not read marked.

use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::{Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Notification {
    pub id: String,
    pub project_id: Option<String>,
    pub severity: String,
    pub title: String,
    pub says: String,
    /// Below the address of its project, or of the system.
    pub link: Option<String>,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
}

impl Notification {
    pub fn leads_somewhere(&self) -> bool {
        address(self.project_id.as_deref(), self.link.as_deref()).is_some()
    }
}

/// Where a notification leads: to pages of ours only, whatever it says.
fn address(project: Option<&str>, link: Option<&str>) -> Option<String> {
    let link = link.filter(|link| link.starts_with('/') && !link.starts_with("//"))?;
    Some(match project {
        Some(project) => format!("/p/{}{link}", escape_query(project)),
        None => format!("/system{link}"),
    })
}

#[derive(Template)]
#[template(path = "notifications/inbox.html")]
pub(crate) struct InboxPage {
    pub shell: Shell,
    pub notifications: Vec<Notification>,
    pub only_unread: bool,
    pub next: Option<String>,
    pub is_first: bool,
    /// What was just asked for.
    pub done: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "notifications/unread.html")]
pub(crate) struct UnreadPart {
    pub shell: Shell,
}

const SHOWN: u32 = 50;

pub(super) async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let only_unread = asked.has("unread");
    let mut path = format!("/api/notifications?limit={SHOWN}");
    if only_unread {
        path.push_str("&unread=true");
    }
    if let Some(after) = asked.given("after") {
        path.push_str(&format!("&after={}", escape_query(after)));
    }
    let page: Items<Notification> = visit.ask.get(&path).await?;
    let filter = if only_unread { "&unread=1" } else { "" };
    Ok(visit.page(&InboxPage {
        shell: visit.shell("notifications"),
        next: page.after().map(|after| format!("/notifications?after={after}{filter}")),
        notifications: page.items,
        only_unread,
        is_first: !asked.has("after"),
        done: asked.has("tested").then_some("A test is on its way, over every channel you have."),
    }))
}

/// The count in the head of pages.
pub(super) async fn show_unread(visit: Visit) -> Response {
    visit.page(&UnreadPart { shell: visit.shell("notifications") })
}

/// One of them, or all up to the newest that was seen: what came since stays unread.
pub(super) async fn mark(visit: Visit, form: Posted) -> Result<Redirect, Refusal> {
    let body = match form.given("up_to") {
        Some(newest) => json!({"up_to": newest}),
        None => json!({"ids": [form.get("id")], "is_read": form.get("is_read") != "false"}),
    };
    visit.ask.act("/api/notifications/read", Some(&body)).await?;
    Ok(Redirect::to(if form.has("unread") { "/notifications?unread=1" } else { "/notifications" }))
}

/// To what it tells of; from then on it is read.
pub(super) async fn open(visit: Visit, Path(names): Names, form: Posted) -> Result<Redirect, Refusal> {
    visit.ask.act("/api/notifications/read", Some(&json!({"ids": [id_of(&names)]}))).await?;
    let target = address(form.given("project"), form.given("link"));
    Ok(Redirect::to(target.as_deref().unwrap_or("/notifications")))
}

pub(super) async fn send_test(visit: Visit, _: Posted) -> Result<Redirect, Refusal> {
    let _: Value = visit.ask.post("/api/notifications/test", &Value::Null).await?;
    Ok(Redirect::to("/notifications?tested=1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_lead_to_our_own_pages_alone() {
        assert_eq!(address(Some("one"), Some("/jobs/x")).as_deref(), Some("/p/one/jobs/x"));
        assert_eq!(address(None, Some("/jobs/x")).as_deref(), Some("/system/jobs/x"));
        for link in [None, Some("//evil.example"), Some("https://evil.example"), Some("")] {
            assert_eq!(address(None, link), None);
        }
    }
}
