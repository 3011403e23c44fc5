//! What somebody wants to be told of, over which channel, and when.

use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
struct Settings {
    phone: Option<String>,
    time_zone: String,
    quiet_hours: Option<QuietHours>,
    digest_at: String,
    choices: Vec<Choice>,
}

#[derive(Debug, Clone, Deserialize)]
struct QuietHours {
    from: String,
    to: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Choice {
    event: String,
    severity: String,
    channel: String,
    mode: String,
    is_default: bool,
    default_mode: String,
}

#[derive(Template)]
#[template(path = "notifications/settings.html")]
pub(crate) struct SettingsPage {
    pub shell: Shell,
    pub typed: Typed,
    pub told: Told,
    pub was_stored: bool,
}

/// The form, as it is stored or was typed.
pub(crate) struct Typed {
    pub phone: String,
    pub time_zone: String,
    pub quiet_from: String,
    pub quiet_to: String,
    pub digest_at: String,
    pub events: Vec<EventRow>,
}

/// An event and what is chosen for it, channel by channel.
pub(crate) struct EventRow {
    pub event: String,
    pub severity: String,
    pub cells: Vec<Cell>,
}

pub(crate) struct Cell {
    pub channel: String,
    /// Empty: as usual.
    pub chosen: String,
    /// What is usual.
    pub usual: String,
}

pub(crate) const MODES: [&str; 4] = ["off", "at_once", "hourly", "daily"];

/// How a field of the form is called.
fn name_of(event: &str, channel: &str) -> String {
    format!("mode {event} {channel}")
}

impl Cell {
    pub fn name(&self, event: impl AsRef<str>) -> String {
        name_of(event.as_ref(), &self.channel)
    }
}

impl Typed {
    fn of(settings: Settings) -> Self {
        let mut events: Vec<EventRow> = vec![];
        for choice in settings.choices {
            let cell = Cell {
                channel: choice.channel,
                chosen: if choice.is_default { String::new() } else { choice.mode },
                usual: choice.default_mode,
            };
            match events.last_mut().filter(|row| row.event == choice.event) {
                Some(row) => row.cells.push(cell),
                None => events.push(EventRow {
                    event: choice.event,
                    severity: choice.severity,
                    cells: vec![cell],
                }),
            }
        }
        let (quiet_from, quiet_to) =
            settings.quiet_hours.map(|quiet| (quiet.from, quiet.to)).unwrap_or_default();
        let phone = settings.phone.unwrap_or_default();
        Self {
            phone,
            time_zone: settings.time_zone,
            quiet_from,
            quiet_to,
            digest_at: settings.digest_at,
            events,
        }
    }

    /// What was typed in place of what is stored.
    fn overlay(&mut self, form: &Fields) {
        let get = |name: &str| form.get(name).to_owned();
        self.phone = get("phone");
        self.time_zone = get("time_zone");
        self.quiet_from = get("quiet_from");
        self.quiet_to = get("quiet_to");
        self.digest_at = get("digest_at");
        for row in &mut self.events {
            for cell in &mut row.cells {
                cell.chosen = get(&name_of(&row.event, &cell.channel));
            }
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({"time_zone": self.time_zone, "digest_at": self.digest_at});
        if !self.phone.is_empty() {
            body["phone"] = self.phone.as_str().into();
        }
        if !(self.quiet_from.is_empty() && self.quiet_to.is_empty()) {
            body["quiet_hours"] = json!({"from": self.quiet_from, "to": self.quiet_to});
        }
        let cells = self.events.iter().flat_map(|row| row.cells.iter().map(move |cell| (row, cell)));
        let chosen = cells.filter(|(_, cell)| !cell.chosen.is_empty());
        let choice = |(row, cell): (&EventRow, &Cell)| json!({"event": row.event, "channel": cell.channel, "mode": cell.chosen});
        body["choices"] = chosen.map(choice).collect();
        body
    }
}

const SETTINGS: &str = "/api/notifications/settings";

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let typed = Typed::of(visit.ask.get(SETTINGS).await?);
    Ok(page(&visit, typed, Told::nothing(), asked.has("stored")))
}

fn page(visit: &Visit, typed: Typed, told: Told, was_stored: bool) -> Response {
    let status = told.status;
    visit.page_of(status, &SettingsPage { shell: visit.shell("notifications"), typed, told, was_stored })
}

pub(super) async fn set(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let mut typed = Typed::of(visit.ask.get(SETTINGS).await?);
    typed.overlay(&form);
    match visit.ask.put(SETTINGS, &typed.body()).await {
        Ok(()) => Ok(Redirect::to("/notifications/settings?stored=1").into_response()),
        Err(refused) if is_explained(&refused) => Ok(page(&visit, typed, Told::of(Some(refused)), false)),
        Err(refused) => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_chosen_is_sent() {
        let choice = |channel: &str, is_default| {
            json!({"event": "job.dead", "severity": "warning", "channel": channel, "mode": "hourly",
                   "is_default": is_default, "default_mode": "at_once"})
        };
        let settings = json!({"phone": null, "time_zone": "UTC", "quiet_hours": null, "digest_at": "08:00",
                              "choices": [choice("inbox", true), choice("email", false)]});
        let mut typed = Typed::of(serde_json::from_value(settings).expect("settings"));
        assert_eq!(
            typed.body()["choices"],
            json!([{"event": "job.dead", "channel": "email", "mode": "hourly"}])
        );
        let form = b"time_zone=UTC&digest_at=09%3A00&quiet_from=22%3A00&quiet_to=&mode+job.dead+inbox=off";
        typed.overlay(&Fields::parse(form));
        assert_eq!(
            typed.body(),
            json!({"time_zone": "UTC", "digest_at": "09:00", "quiet_hours": {"from": "22:00", "to": ""},
                   "choices": [{"event": "job.dead", "channel": "inbox", "mode": "off"}]})
        );
    }
}
