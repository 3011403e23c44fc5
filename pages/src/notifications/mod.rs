//! What somebody is told: their inbox, their choices; and webhooks, by which other systems are told.

mod inbox;
mod settings;
mod webhook;
mod webhooks;

pub(crate) use settings::MODES;

use crate::Site;
use crate::shell::Shell;
use axum::Router;
use axum::routing::{get, post};

pub(crate) fn routes() -> Router<Site> {
    let mut routes = Router::new()
        .route("/notifications", get(inbox::list))
        .route("/notifications/unread", get(inbox::show_unread))
        .route("/notifications/read", post(inbox::mark))
        .route("/notifications/test", post(inbox::send_test))
        .route("/notifications/{id}/open", post(inbox::open))
        .route("/notifications/settings", get(settings::show).post(settings::set));
    for scope in ["/p/{project}", "/system"] {
        routes = routes
            .route(&format!("{scope}/webhooks"), get(webhooks::list).post(webhooks::add))
            .route(&format!("{scope}/webhooks/{{id}}"), get(webhook::show))
            .route(&format!("{scope}/webhooks/{{id}}/{{action}}"), post(webhook::act));
    }
    routes
}

/// An event as those who are told of it would say.
pub(crate) fn event_words(event: impl AsRef<str>) -> String {
    let says = match event.as_ref() {
        "job.dead" => "A job failed for good",
        "reconciliation.finished" => "A reconciliation has finished",
        "exception.assigned" => "Something was assigned to me",
        "approval.wanted" => "A decision waits for a second person",
        "backup.failed" => "A backup failed",
        "backup.stale" => "There is no recent backup",
        "backup.verification_failed" => "A backup cannot be restored",
        "backup.stores_down" => "No store of backups answers",
        "backup.size_deviates" => "The size of a backup is unusual",
        "backup.slow" => "A backup took long",
        "backup.store_filling" => "A store of backups is filling",
        "backup.store_down" => "A store of backups does not answer",
        "backup.harmed" => "A stored backup is damaged",
        "backup.restore_not_proven" => "No restore was proved for too long",
        "wal.behind" => "The log of changes is archived too late",
        "wal.archiving_fails" => "The log of changes cannot be archived",
        "wal.piles_up" => "The log of changes piles up on the server",
        "wal.missing" => "A piece of the log of changes is missing",
        "webhook.disabled" => "A webhook was switched off",
        "login.suspicious" => "Something is odd about my account",
        "condition.over" => "The condition of an alert is over",
        // Newer than these pages.
        other => return crate::words::words(&other.replace('.', ": ")),
    };
    says.to_owned()
}

/// Of a webhook, for the forms of its page.
pub(crate) fn address_of(shell: &Shell, id: impl AsRef<str>) -> String {
    format!("{}/webhooks/{}", shell.base(), id.as_ref())
}
