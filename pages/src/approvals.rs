//! Four eyes: decisions of a project that wait for a second person.

use crate::Site;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::review::answers::Decision;
use crate::review::{Past, past};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::get;

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/p/{project}/approvals", get(list))
}

#[derive(Template)]
#[template(path = "approvals.html")]
pub(crate) struct ApprovalsPage {
    pub shell: Shell,
    /// Only what this visitor may have the second word on.
    pub is_mine: bool,
    pub decisions: Vec<Past>,
    pub next: Option<String>,
    pub back: String,
}

async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let is_mine = asked.get("whose") != "all";
    let mut path =
        format!("/api/projects/{}/review/waiting?limit=50", visit.project_id().unwrap_or_default());
    if is_mine {
        path.push_str("&waiting_for=me");
    }
    if let Some(after) = asked.given("after") {
        path.push_str(&format!("&after={}", escape_query(after)));
    }
    let page: Items<Decision> = visit.ask.get(&path).await?;
    let shell = visit.shell("approvals");
    let back = format!("{}/approvals", shell.base());
    let whose = if is_mine { "me" } else { "all" };
    Ok(visit.page(&ApprovalsPage {
        next: page.after().map(|after| format!("{back}?whose={whose}&after={after}")),
        decisions: page.items.into_iter().map(|decision| past(&shell, decision)).collect(),
        is_mine,
        back,
        shell,
    }))
}
