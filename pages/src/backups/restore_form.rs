//! What to restore, from what, and how far: the form whose answer is a plan.

use super::answers::Backup;
use super::take::{ProjectChoice, project_choices, projects_of};
use crate::answers::{Items, Made};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::SecondsFormat;
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "backups/restore_form.html")]
pub(crate) struct RestoreFormPage {
    pub shell: Shell,
    /// Those that can be restored, newest first.
    pub backups: Vec<Backup>,
    pub projects: Vec<ProjectChoice>,
    pub typed: Fields,
    pub mode: String,
    pub told: Told,
}

/// To choose from; others are reached from their own pages.
const BACKUPS_SHOWN: usize = 50;

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    page(&visit, asked, Told::nothing()).await
}

async fn page(visit: &Visit, typed: Fields, told: Told) -> Result<Response, Refusal> {
    let of_kind = |kind: &str| format!("/api/backups?kind={kind}&state=committed&limit={BACKUPS_SHOWN}");
    let (of_full, of_tenants) = (of_kind("full"), of_kind("tenant"));
    let (full, tenants, projects) = tokio::join!(
        visit.ask.get::<Items<Backup>>(&of_full),
        visit.ask.get::<Items<Backup>>(&of_tenants),
        project_choices(visit, &typed),
    );
    let mut backups = [full?.items, tenants?.items].concat();
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.as_of()));
    backups.truncate(BACKUPS_SHOWN);
    let wanted = typed.get("backup");
    if !wanted.is_empty() && !backups.iter().any(|backup| backup.id == wanted) {
        let path = format!("/api/backups/{}", crate::html::escape_query(wanted));
        backups.extend(visit.ask.find::<Backup>(&path).await.ok().flatten());
    }
    let mode = typed.given("mode").unwrap_or("merge").to_owned();
    let (status, projects) = (told.status, projects?);
    let page = RestoreFormPage { shell: visit.shell("backups"), backups, projects, typed, mode, told };
    Ok(visit.page_of(status, &page))
}

/// What the form asks for, as a dry run: only what belongs to its mode, for a form without script sends all it has.
pub(super) fn body_of(visit: &Visit, form: &Fields) -> Result<Value, Told> {
    let mut body = json!({"mode": form.get("mode"), "dry_run": true});
    if form.get("mode") != "point_in_time"
        && let Some(backup) = form.given("backup")
    {
        body["backup_id"] = backup.into();
    }
    match form.get("mode") {
        "full" => body["database"] = form.get("database").into(),
        "merge" => {
            body["policy"] = form.given("policy").unwrap_or("preserve").into();
            let projects = projects_of(form);
            if form.get("of") != "all" {
                if projects.is_empty() {
                    return Err(Told::mistake(
                        "project_ids",
                        "choose projects, or all that the backup holds",
                    ));
                }
                body["project_ids"] = projects.into();
            }
        }
        "point_in_time" => {
            if let Some(time) = form.given("time") {
                let Some(at) = visit.shell.preferences.instant(time) else {
                    return Err(Told::mistake("time", "is no time on your clock"));
                };
                body["time"] = at.to_rfc3339_opts(SecondsFormat::Secs, true).into();
            }
            if let Some(lsn) = form.given("lsn") {
                body["lsn"] = lsn.into();
            }
        }
        _ => {}
    }
    Ok(body)
}

pub(super) async fn plan(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let body = match body_of(&visit, &form) {
        Ok(body) => body,
        Err(told) => return page(&visit, form.clone(), told).await,
    };
    match visit.ask.post::<Made>("/api/restores", &body).await {
        Ok(made) => Ok(Redirect::to(&format!("/system/restores/{}", made.id)).into_response()),
        Err(refused) if is_explained(&refused) => page(&visit, form.clone(), Told::of(Some(refused))).await,
        Err(refused) => Err(refused),
    }
}
