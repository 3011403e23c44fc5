//! Reconciliations: the list, one while it runs, and its result.

pub(crate) mod chain;
pub(crate) mod compare;
mod live;
pub(crate) mod results;
pub(crate) mod show;
mod stream;

use crate::answers::{Items, ReconciliationLine};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::shell::{Shell, Visit};
use crate::{Site, html};
use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use axum::routing::{get, post};
use std::collections::HashMap;

pub(crate) fn routes() -> Router<Site> {
    const ONE: &str = "/p/{project}/reconciliations/{id}";
    Router::new()
        .route("/p/{project}/reconciliations", get(list))
        .route(ONE, get(show::show))
        .route(&format!("{ONE}/events"), get(stream::stream))
        .route(&format!("{ONE}/cancel"), post(live::cancel))
        .route(&format!("{ONE}/matches"), get(results::list_matches))
        .route(&format!("{ONE}/exceptions"), get(results::list_exceptions))
        .route(&format!("{ONE}/rejected-lines"), get(results::list_rejected_lines))
        .route(&format!("{ONE}/files/{{name}}"), get(results::download))
}

/// The parameters of an address by their names; `id` is whatever the page is about.
pub(crate) type Names = Path<HashMap<String, String>>;

pub(crate) fn id_of(names: &HashMap<String, String>) -> String {
    html::escape_query(names.get("id").map_or("", String::as_str))
}

#[derive(Template)]
#[template(path = "reconciliations/list.html")]
pub(crate) struct ListPage {
    pub shell: Shell,
    pub state: String,
    pub items: Vec<ReconciliationLine>,
    /// Address of the next page.
    pub next: Option<String>,
    pub is_first: bool,
}

const SHOWN: u32 = 50;

async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let mut path = format!("/api/reconciliation/jobs?{}&limit={SHOWN}", visit.project_query());
    for name in ["state", "after"] {
        if let Some(value) = asked.given(name) {
            path.push_str(&format!("&{name}={}", html::escape_query(value)));
        }
    }
    let page: Items<ReconciliationLine> = visit.ask.get(&path).await?;
    let shell = visit.shell("reconciliations");
    let state = asked.get("state").to_owned();
    let next = page.after().map(|after| {
        format!("{}/reconciliations?state={}&after={after}", shell.base(), html::escape_query(&state))
    });
    let is_first = !asked.has("after");
    Ok(visit.page(&ListPage { shell, state, next, is_first, items: page.items }))
}
