//! Jobs of a project, or of the whole system: counters that live, the list with its filters in the address, one job
//! with its history, and what may be done to many at once.

mod act;
mod dead;
mod show;

use crate::answers::{Counts, Items, JobLine};
use crate::ask::Refusal;
use crate::form::Fields;
use crate::html::{Html, escape_query};
use crate::shell::{Shell, Visit};
use crate::{Site, overview, words};
use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<Site> {
    let mut routes = Router::new();
    for scope in ["/p/{project}", "/system"] {
        routes = routes
            .route(&format!("{scope}/jobs"), get(list))
            .route(&format!("{scope}/jobs/counts"), get(show_counts))
            .route(&format!("{scope}/jobs/bulk"), get(act::preview_bulk).post(act::do_bulk))
            .route(&format!("{scope}/jobs/{{id}}"), get(show::show))
            .route(&format!("{scope}/jobs/{{id}}/{{action}}"), post(act::act_on_one))
            .route(&format!("{scope}/failed"), get(dead::list));
    }
    routes
}

/// Jobs on a page.
const SHOWN: u32 = 50;

/// What the address of a list may say, in the words of the API.
pub(crate) const FILTERS: [&str; 6] =
    ["state", "kind", "created_from", "created_before", "fingerprint", "text"];
pub(crate) const STATES: [&str; 6] = ["scheduled", "available", "running", "completed", "cancelled", "dead"];

/// The filters of a list, as they go from page to page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter(Vec<(&'static str, String)>);

impl Filter {
    pub fn of(asked: &Fields) -> Self {
        Self(FILTERS.into_iter().filter_map(|name| Some((name, asked.given(name)?.to_owned()))).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn pairs(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// `state=dead&kind=reconciliation`. A day is sent to the API as its first moment.
    pub fn query(&self, for_api: bool) -> String {
        let pair = |(name, value): &(&'static str, String)| {
            format!("{name}={}", escape_query(&moment(name, value, for_api)))
        };
        self.0.iter().map(pair).collect::<Vec<_>>().join("&")
    }

    /// As a member of a body.
    pub fn body_value(&self, name: &'static str) -> Option<String> {
        let value = self.get(name);
        (!value.is_empty()).then(|| moment(name, value, true))
    }
}

fn moment(name: &str, value: &str, for_api: bool) -> String {
    let is_day = value.len() == 10 && name.starts_with("created_");
    if is_day && for_api { format!("{value}T00:00:00Z") } else { value.to_owned() }
}

/// A counter and where it leads.
pub(crate) struct Counter {
    pub state: &'static str,
    pub label: String,
    pub count: String,
    pub address: String,
    pub is_current: bool,
}

#[derive(Template)]
#[template(path = "jobs/counts.html")]
pub(crate) struct CountsPart {
    pub shell: Shell,
    pub counters: Vec<Counter>,
    pub bar: Html,
    pub address: String,
}

impl CountsPart {
    pub fn new(shell: Shell, counts: &Counts, current: &str) -> Self {
        let of = |state: &str| match state {
            "scheduled" => counts.scheduled,
            "available" => counts.available,
            "running" => counts.running,
            "completed" => counts.completed,
            "cancelled" => counts.cancelled,
            _ => counts.dead,
        };
        let counter = |state: &'static str| {
            let n = of(state);
            let more = if n >= counts.counted_up_to { "+" } else { "" };
            Counter {
                state,
                label: words::state(state),
                count: format!("{}{more}", shell.number(n)),
                address: format!("{}/jobs?state={state}", shell.base()),
                is_current: state == current,
            }
        };
        let counters = STATES.map(counter).into();
        let bar = overview::states_bar(&shell, "Jobs", of);
        let address = format!("{}/jobs/counts?state={}", shell.base(), escape_query(current));
        Self { shell, counters, bar, address }
    }
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
pub(crate) struct ListPage {
    pub shell: Shell,
    pub counts: CountsPart,
    pub filter: Filter,
    pub kinds: [&'static str; 2],
    pub items: Vec<JobLine>,
    pub next: Option<String>,
    pub is_first: bool,
    /// What a bulk action did.
    pub done: Option<String>,
}

const KINDS: [&str; 2] = ["reconciliation", "clean_up"];

async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let filter = Filter::of(&asked);
    let after =
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default();
    let path = format!("/api/jobs?{}&limit={SHOWN}&{}{after}", visit.project_query(), filter.query(true));
    let counts_path = format!("/api/jobs/counts?{}", visit.project_query());
    let (path, counts_path) = (tidy(&path), tidy(&counts_path));
    let (page, counts) =
        tokio::join!(visit.ask.get::<Items<JobLine>>(&path), visit.ask.get::<Counts>(&counts_path));
    let (page, counts) = (page?, counts?);
    let shell = visit.shell("jobs");
    let next =
        page.after().map(|after| format!("{}/jobs?{}&after={after}", shell.base(), filter.query(false)));
    let counts = CountsPart::new(shell.clone(), &counts, filter.get("state"));
    let done = asked.given("done").map(str::to_owned);
    let is_first = !asked.has("after");
    Ok(visit.page(&ListPage { shell, counts, filter, kinds: KINDS, items: page.items, next, is_first, done }))
}

/// Without the empty parts of a query.
pub(crate) fn tidy(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

async fn show_counts(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let counts: Counts = visit.ask.get(&tidy(&format!("/api/jobs/counts?{}", visit.project_query()))).await?;
    Ok(visit.page(&CountsPart::new(visit.shell("jobs"), &counts, asked.get("state"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_to_their_words() {
        let filter = Filter::of(&Fields::parse(b"state=dead&text=a+%26b&limit=9&created_from=2026-01-31"));
        assert_eq!(filter.query(false), "state=dead&created_from=2026-01-31&text=a%20%26b");
        assert_eq!(filter.query(true), "state=dead&created_from=2026-01-31T00%3A00%3A00Z&text=a%20%26b");
        assert_eq!(tidy("/api/jobs?&limit=5&"), "/api/jobs?limit=5");
        assert_eq!(tidy("/api/jobs?"), "/api/jobs");
    }
}
