//! Schedules: jobs that time alone starts.

mod form;

use crate::answers::{DueTime, Items, Schedule, ScheduleLine, StartedRun, Tick};
use crate::ask::Refusal;
use crate::charts::{Part, sparkline};
use crate::form::{Posted, refusal};
use crate::html::{Html, escape_query};
use crate::reconciliations::id_of;
use crate::shell::{Scope, Shell, Visit};
use crate::{Site, words};
use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::collections::HashMap;

pub(crate) fn routes() -> Router<Site> {
    let mut routes = Router::new();
    for scope in ["/p/{project}", "/system"] {
        routes = routes
            .route(&format!("{scope}/schedules"), get(list))
            .route(&format!("{scope}/schedules/new"), get(form::show_new).post(form::create))
            .route(&format!("{scope}/schedules/{{id}}/edit"), get(form::show_edit).post(form::change))
            .route(&format!("{scope}/schedules/{{id}}/remove"), post(form::remove))
            .route(&format!("{scope}/schedules/{{id}}"), get(show))
            .route(&format!("{scope}/schedules/{{id}}/{{action}}"), post(act));
    }
    routes
}

/// Shown in one list; each has its history looked up.
const SHOWN: usize = 50;
/// Ticks of a sparkline.
const HISTORY: usize = 30;

pub(crate) struct LineShown {
    pub line: ScheduleLine,
    pub says: String,
    pub history: Html,
}

#[derive(Template)]
#[template(path = "schedules/list.html")]
pub(crate) struct ListPage {
    pub shell: Shell,
    pub items: Vec<LineShown>,
    pub has_more: bool,
}

async fn list(visit: Visit) -> Result<Response, Refusal> {
    let shell = visit.shell("schedules");
    let path = match &shell.scope {
        Scope::Project(project) => format!("/api/projects/{}/schedules?limit={SHOWN}", project.id),
        _ => format!("/api/schedules?limit={SHOWN}"),
    };
    let page: Items<ScheduleLine> = visit.ask.get(&path).await?;
    let has_more = page.next.is_some();
    let mut items = vec![];
    for line in page.items {
        let ticks: Items<Tick> =
            visit.ask.get(&format!("/api/schedules/{}/ticks?limit={HISTORY}", line.id)).await?;
        items.push(LineShown {
            says: in_words(&line.cron, &line.time_zone),
            history: history(&shell, &ticks.items),
            line,
        });
    }
    Ok(visit.page(&ListPage { shell, items, has_more }))
}

/// `At 02:30 every day, Europe/Berlin`.
pub(crate) fn in_words(cron: &str, time_zone: &str) -> String {
    match words::cron(cron) {
        Some(says) => format!("{says}, {time_zone}"),
        None => format!("{cron} ({time_zone})"),
    }
}

/// Oldest first; what fired is high, what was skipped low.
pub(crate) fn history(shell: &Shell, ticks: &[Tick]) -> Html {
    let tick = |tick: &Tick| Part {
        label: words::words(&tick.outcome),
        value: 1,
        tone: match tick.outcome.as_str() {
            "fired" => "good",
            "run_now" => "info",
            "coalesced" => "warn",
            "failed" => "bad",
            _ => "quiet",
        },
        says: shell.preferences.plain_time(tick.due_at),
    };
    let parts: Vec<Part> = ticks.iter().rev().map(tick).collect();
    sparkline("History", &parts)
}

#[derive(Template)]
#[template(path = "schedules/show.html")]
pub(crate) struct ShowPage {
    pub shell: Shell,
    pub schedule: Schedule,
    pub says: String,
    pub history: Html,
    pub ticks: Vec<Tick>,
    pub next: Vec<DueTime>,
    /// Why it cannot be said.
    pub trouble: Option<String>,
    pub args: String,
    /// Which files, where it takes the newest.
    pub takes: Option<String>,
}

/// `the newest bank-*.csv on the left`.
fn takes(args: &serde_json::Value) -> Option<String> {
    let side = |name: &str, side: &str| {
        let pattern = args[name].as_str()?;
        Some(format!("the newest {pattern} on the {side}"))
    };
    let sides: Vec<String> =
        [side("left_file_name", "left"), side("right_file_name", "right")].into_iter().flatten().collect();
    (!sides.is_empty()).then(|| sides.join(", "))
}

async fn show(visit: Visit, Path(names): Path<HashMap<String, String>>) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let (of_schedule, of_ticks, of_next) = (
        format!("/api/schedules/{id}"),
        format!("/api/schedules/{id}/ticks?limit={HISTORY}"),
        format!("/api/schedules/{id}/next?count=5"),
    );
    let (schedule, ticks, next) = tokio::join!(
        visit.ask.get::<Schedule>(&of_schedule),
        visit.ask.get::<Items<Tick>>(&of_ticks),
        visit.ask.get::<Items<DueTime>>(&of_next)
    );
    let (schedule, ticks) = (schedule?, ticks?.items);
    let (next, trouble) = match next {
        Ok(page) => (page.items, None),
        Err(refusal) if refusal.status == StatusCode::CONFLICT => (vec![], Some(refusal.document.detail)),
        Err(refusal) => return Err(refusal),
    };
    let shell = visit.shell("schedules");
    Ok(visit.page(&ShowPage {
        says: in_words(&schedule.cron, &schedule.time_zone),
        history: history(&shell, &ticks),
        args: serde_json::to_string_pretty(&schedule.args).unwrap_or_default(),
        takes: takes(&schedule.args),
        shell,
        schedule,
        ticks,
        next,
        trouble,
    }))
}

async fn act(
    visit: Visit,
    Path(names): Path<HashMap<String, String>>,
    form: Posted,
) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let base = visit.shell.base();
    let action = names.get("action").map_or("", String::as_str);
    let target = match action {
        "run" => {
            let started: StartedRun =
                visit.ask.post(&format!("/api/schedules/{id}/run"), &serde_json::Value::Null).await?;
            format!("{base}/jobs/{}", escape_query(&started.job_id))
        }
        "pause" | "resume" => {
            visit.ask.act(&format!("/api/schedules/{id}/{action}"), None).await?;
            if form.has("list") { format!("{base}/schedules") } else { format!("{base}/schedules/{id}") }
        }
        _ => return Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    };
    Ok(Redirect::to(&target).into_response())
}
