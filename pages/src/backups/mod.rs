//! Backups and restores, for platform administrators: how well they are, what there is, taking one, what retention
//! would do, and getting something back: planned and shown first, confirmed by typing, then watched.

pub(crate) mod answers;
mod list;
mod overview;
mod report;
mod restore_form;
mod restores;
mod retention;
mod show;
mod take;
pub(crate) mod words;

pub(crate) use list::KINDS;
pub(crate) use restores::MODES;

use crate::Site;
use crate::html::{Html, escape, icon};
use crate::shell::Shell;
use axum::Router;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/system/backups", get(overview::show))
        .route("/system/backups/list", get(list::list))
        .route("/system/backups/new", get(take::show).post(take::take))
        .route("/system/backups/retention", get(retention::simulate))
        .route("/system/backups/alerts/{id}/acknowledge", post(overview::acknowledge))
        .route("/system/backups/{id}", get(show::show))
        .route("/system/backups/{id}/{action}", post(show::act))
        .route("/system/restores", get(restores::list))
        .route("/system/restores/new", get(restore_form::show).post(restore_form::plan))
        .route("/system/restores/{id}", get(restores::show))
        .route("/system/restores/{id}/perform", post(restores::perform))
        .route("/system/restores/{id}/stop", post(restores::stop))
}

/// The state of a backup: icon and word.
pub(crate) fn state_badge(backup: &answers::Backup) -> Html {
    let (class, symbol, word) = match backup.state.as_str() {
        "committed" if backup.is_lost() => ("dead", "failed", "Lost"),
        "committed" if backup.counts == Some(false) => ("paused", "warning", "In too few stores"),
        "committed" => ("completed", "check", "There"),
        "failed" => ("dead", "failed", "Failed"),
        _ => ("removed", "stop", "Removed"),
    };
    badge(class, symbol, word)
}

/// The state of a restore: icon and word.
pub(crate) fn restore_badge(state: impl AsRef<str>) -> Html {
    match state.as_ref() {
        "waiting" => badge("available", "available", "Waiting"),
        "running" => badge("running", "running", "Running"),
        "succeeded" => badge("completed", "check", "Succeeded"),
        _ => badge("dead", "failed", "Failed"),
    }
}

fn badge(class: &str, symbol: &str, word: &str) -> Html {
    Html(format!("<span class=\"badge {class}\">{}{}</span>", icon(symbol), escape(word)))
}

/// Of a project, where the visitor belongs to it; otherwise the end of its id.
pub(crate) fn project_name(shell: &Shell, id: impl AsRef<str>) -> String {
    let id = id.as_ref();
    let known = shell.projects.iter().find(|project| project.id == id);
    known.map_or_else(|| format!("…{}", crate::format::short_id(id)), |project| project.name.clone())
}
