//! Restores and drills: the list, and one of them, from its plan over the confirmation to what it did.

use super::answers::Backup;
use super::report::Report;
use crate::answers::{Items, Job, Made, Progress};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Restore {
    pub id: String,
    pub mode: String,
    pub is_dry_run: bool,
    pub state: String,
    pub backup_id: Option<String>,
    pub target: Option<String>,
    pub project_ids: Vec<String>,
    pub asked_by: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub progress: Option<Progress>,
    #[serde(default)]
    pub report: Option<Value>,
    pub error: Option<String>,
}

impl Restore {
    pub fn title(&self) -> String {
        let mode = super::words::mode(&self.mode);
        if self.is_dry_run { format!("{mode}: dry run") } else { mode.to_owned() }
    }

    pub fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed")
    }

    pub fn took(&self) -> Option<String> {
        self.finished_at.map(|at| crate::format::duration(at - self.started_at))
    }
}

#[derive(Template)]
#[template(path = "backups/restores.html")]
pub(crate) struct RestoresPage {
    pub shell: Shell,
    pub mode: String,
    pub restores: Vec<Restore>,
    pub next: Option<String>,
    pub is_first: bool,
}

const SHOWN: u32 = 50;
pub(crate) const MODES: [&str; 4] = ["drill", "full", "merge", "point_in_time"];

pub(super) async fn list(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let filter = asked.given("mode").map(|mode| format!("&mode={}", escape_query(mode))).unwrap_or_default();
    let after =
        asked.given("after").map(|after| format!("&after={}", escape_query(after))).unwrap_or_default();
    let page: Items<Restore> = visit.ask.get(&format!("/api/restores?limit={SHOWN}{filter}{after}")).await?;
    Ok(visit.page(&RestoresPage {
        shell: visit.shell("backups"),
        mode: asked.get("mode").to_owned(),
        next: page.after().map(|after| format!("/system/restores?after={after}{filter}")),
        restores: page.items,
        is_first: !asked.has("after"),
    }))
}

#[derive(Template)]
#[template(path = "backups/restore.html")]
pub(crate) struct RestorePage {
    pub shell: Shell,
    pub restore: Restore,
    pub report: Report,
    /// Where the records still have it.
    pub backup: Option<Backup>,
    /// What it was asked to do, of those that a job performs.
    pub asked: Option<Asked>,
    /// To be typed before it is performed: the name of the database that is written.
    pub confirm: Option<String>,
    pub told: Told,
}

/// As the job was told.
pub(crate) struct Asked {
    pub overwrites: bool,
    pub database: String,
    args: Value,
}

impl Asked {
    fn of(job: &Job) -> Self {
        let args = job.args["mode"].clone();
        Self {
            overwrites: args["policy"] == "overwrite",
            database: args["database"].as_str().unwrap_or_default().to_owned(),
            args,
        }
    }

    /// The same in earnest.
    fn body(&self, confirm: &str) -> Value {
        let mut body = json!({"mode": self.args["mode"], "backup_id": self.args["backup_id"]});
        match self.args["mode"].as_str() {
            Some("full") => body["database"] = self.args["database"].clone(),
            Some("merge") => {
                body["policy"] = self.args["policy"].clone();
                body["confirm"] = confirm.into();
                if self.args["tenants"].as_array().is_some_and(|tenants| !tenants.is_empty()) {
                    body["project_ids"] = self.args["tenants"].clone();
                }
            }
            _ => {}
        }
        body
    }
}

pub(super) async fn show(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    page(&visit, &id_of(&names), Told::nothing()).await
}

async fn page(visit: &Visit, id: &str, told: Told) -> Result<Response, Refusal> {
    let (restore, asked) = read(visit, id).await?;
    let backup = match &restore.backup_id {
        Some(id) => visit.ask.find::<Backup>(&format!("/api/backups/{}", escape_query(id))).await?,
        None => None,
    };
    let status = told.status;
    let page = RestorePage {
        report: Report::read(restore.report.as_ref()),
        confirm: confirm_of(&restore, asked.as_ref()),
        shell: visit.shell("backups"),
        backup,
        restore,
        asked,
        told,
    };
    Ok(visit.page_of(status, &page))
}

async fn read(visit: &Visit, id: &str) -> Result<(Restore, Option<Asked>), Refusal> {
    let (of_restore, of_job) = (format!("/api/restores/{id}"), format!("/api/jobs/{id}"));
    let (restore, job) = tokio::join!(visit.ask.get::<Restore>(&of_restore), visit.ask.find::<Job>(&of_job));
    Ok((restore?, job?.map(|job| Asked::of(&job))))
}

/// What must be typed before a plan is performed; a drill touches nothing and needs no word.
fn confirm_of(restore: &Restore, asked: Option<&Asked>) -> Option<String> {
    match restore.mode.as_str() {
        "full" => asked.map(|asked| asked.database.clone()),
        "merge" => restore.target.clone(),
        _ => None,
    }
}

/// What a dry run has shown, in earnest.
pub(super) async fn perform(visit: Visit, Path(names): Names, form: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let (restore, asked) = read(&visit, &id).await?;
    let Some(asked) = asked.filter(|_| restore.is_dry_run && restore.state == "succeeded") else {
        let says = "Only a plan that was shown is performed: plan it again";
        return Err(crate::form::refusal(axum::http::StatusCode::CONFLICT, says));
    };
    let typed = form.get("confirm");
    if let Some(wanted) = confirm_of(&restore, Some(&asked))
        && typed != wanted
    {
        return page(&visit, &id, Told::mistake("confirm", "is not the name of the database")).await;
    }
    match visit.ask.post::<Made>("/api/restores", &asked.body(typed)).await {
        Ok(made) => Ok(Redirect::to(&format!("/system/restores/{}", made.id)).into_response()),
        Err(refused) if is_explained(&refused) => page(&visit, &id, Told::of(Some(refused))).await,
        Err(refused) => Err(refused),
    }
}

pub(super) async fn stop(visit: Visit, Path(names): Names, _: Posted) -> Result<Redirect, Refusal> {
    let id = id_of(&names);
    visit.ask.act(&format!("/api/jobs/{id}/cancel"), None).await?;
    Ok(Redirect::to(&format!("/system/restores/{id}")))
}
