//! Every backup that was tried, newest first.

use super::answers::Backup;
use crate::answers::Items;
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::escape_query;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::RawQuery;
use axum::response::Response;

#[derive(Template)]
#[template(path = "backups/list.html")]
pub(crate) struct ListPage {
    pub shell: Shell,
    pub kind: String,
    pub state: String,
    pub backups: Vec<Backup>,
    pub next: Option<String>,
    pub is_first: bool,
}

pub(crate) const KINDS: [&str; 4] = ["full", "base", "tenant", "configuration"];
const SHOWN: u32 = 50;

pub(super) async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let mut filter = String::new();
    for name in ["kind", "state"] {
        if let Some(value) = asked.given(name) {
            filter.push_str(&format!("&{name}={}", escape_query(value)));
        }
    }
    let after =
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default();
    let page: Items<Backup> = visit.ask.get(&format!("/api/backups?limit={SHOWN}{filter}{after}")).await?;
    Ok(visit.page(&ListPage {
        shell: visit.shell("backups"),
        kind: asked.get("kind").to_owned(),
        state: asked.get("state").to_owned(),
        next: page.after().map(|after| format!("/system/backups/list?after={after}{filter}")),
        backups: page.items,
        is_first: !asked.has("after"),
    }))
}
