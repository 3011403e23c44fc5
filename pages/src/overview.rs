//! A project at a glance: what is open, what was done lately.

use crate::answers::{Dashboard, Items, ScheduleLine};
use crate::ask::Refusal;
use crate::charts::{Part, stacked_bar};
use crate::html::Html;
use crate::shell::{Shell, Visit};
use crate::{Site, words};
use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/p/{project}", get(show))
}

#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    pub shell: Shell,
    pub dashboard: Dashboard,
    pub states: Html,
    pub exceptions: Vec<ExceptionCount>,
    pub schedules: Vec<ScheduleLine>,
}

/// A bar of a list of kinds.
pub(crate) struct ExceptionCount {
    pub title: &'static str,
    pub advice: &'static str,
    pub count: i64,
    /// Of the largest.
    pub share: f64,
}

pub(crate) fn exception_counts<'k>(
    kinds: impl Iterator<Item = (&'k String, &'k i64)>,
) -> Vec<ExceptionCount> {
    let mut counts: Vec<(&str, i64)> = kinds.map(|(kind, count)| (kind.as_str(), *count)).collect();
    counts.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    let most = counts.first().map_or(1, |(_, count)| (*count).max(1)) as f64;
    let count = |(kind, count): (&str, i64)| {
        let (title, advice) = words::exception(kind);
        ExceptionCount { title, advice, count, share: count as f64 / most }
    };
    counts.into_iter().map(count).collect()
}

pub(crate) fn states_bar(shell: &Shell, name: &str, count: impl Fn(&str) -> i64) -> Html {
    const TONES: [(&str, &str); 6] = [
        ("completed", "good"),
        ("running", "info"),
        ("available", "quiet"),
        ("scheduled", "quiet"),
        ("cancelled", "warn"),
        ("dead", "bad"),
    ];
    let part = |(state, tone): (&str, &'static str)| {
        let value = count(state);
        Part { label: words::state(state).to_lowercase(), value, tone, says: shell.number(value) }
    };
    stacked_bar(name, &TONES.map(part))
}

async fn show(visit: Visit) -> Result<Response, Refusal> {
    let shell = visit.shell("overview");
    let dashboard_path = format!("/api/analytics/dashboard?{}", visit.project_query());
    let schedules_path =
        format!("/api/projects/{}/schedules?limit=5", visit.project_id().unwrap_or_default());
    let (dashboard, schedules) = tokio::join!(
        visit.ask.get::<Dashboard>(&dashboard_path),
        visit.ask.find::<Items<ScheduleLine>>(&schedules_path)
    );
    let dashboard = dashboard?;
    let states = states_bar(&shell, "Reconciliations", |state| {
        dashboard.jobs_by_state.get(state).copied().unwrap_or(0)
    });
    let exceptions = exception_counts(dashboard.exceptions_by_kind.iter());
    let schedules = schedules?.map(|page| page.items).unwrap_or_default();
    Ok(visit.page(&OverviewPage { shell, dashboard, states, exceptions, schedules }))
}
