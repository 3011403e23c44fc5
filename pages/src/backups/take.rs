//! Taking a backup by hand: now, or at a time.

use super::answers::AcceptedJob;
use crate::answers::{Items, Project};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::shell::{Shell, Visit};
use crate::told::{Told, is_explained};
use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::SecondsFormat;
use serde_json::json;

#[derive(Template)]
#[template(path = "backups/take.html")]
pub(crate) struct TakePage {
    pub shell: Shell,
    pub projects: Vec<ProjectChoice>,
    pub typed: Fields,
    pub told: Told,
}

/// A project in a form, and whether it is chosen.
pub(crate) struct ProjectChoice {
    pub project: Project,
    pub is_chosen: bool,
}

/// In a form; others are named by their ids.
const PROJECTS_SHOWN: u32 = 200;

pub(super) async fn project_choices(visit: &Visit, typed: &Fields) -> Result<Vec<ProjectChoice>, Refusal> {
    let page: Items<Project> = visit.ask.get(&format!("/api/projects?limit={PROJECTS_SHOWN}")).await?;
    let choice = |project: Project| {
        let is_chosen = typed.iter().any(|(name, value)| name == "project" && value == project.id);
        ProjectChoice { project, is_chosen }
    };
    Ok(page.items.into_iter().map(choice).collect())
}

/// Those that are ticked, and those whose ids were typed.
pub(super) fn projects_of(typed: &Fields) -> Vec<String> {
    let ticked = typed.iter().filter(|(name, _)| *name == "project").map(|(_, value)| value);
    let others = typed.get("others").split([' ', ',', '\n', '\r', '\t']).filter(|id| !id.is_empty());
    ticked.chain(others).map(str::to_owned).collect()
}

pub(super) async fn show(visit: Visit) -> Result<Response, Refusal> {
    page(&visit, Fields::default(), Told::nothing()).await
}

async fn page(visit: &Visit, typed: Fields, told: Told) -> Result<Response, Refusal> {
    let projects = project_choices(visit, &typed).await?;
    let status = told.status;
    Ok(visit.page_of(status, &TakePage { shell: visit.shell("backups"), projects, typed, told }))
}

pub(super) async fn take(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let mut body = json!({"kind": form.get("kind")});
    if form.get("kind") == "tenant" {
        match form.get("of") {
            "all" => body["all_projects"] = true.into(),
            _ => body["project_ids"] = projects_of(&form).into(),
        }
    }
    if let Some(note) = form.given("note") {
        body["note"] = note.into();
    }
    if let Some(at) = form.given("at") {
        let Some(at) = visit.shell.preferences.instant(at) else {
            return page(&visit, form.clone(), Told::mistake("at", "is no time on your clock")).await;
        };
        body["at"] = at.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    }
    match visit.ask.post::<AcceptedJob>("/api/backups", &body).await {
        Ok(accepted) => Ok(Redirect::to(&format!("/system/jobs/{}", accepted.job_id)).into_response()),
        Err(refused) if is_explained(&refused) => page(&visit, form.clone(), Told::of(Some(refused))).await,
        Err(refused) => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_ticked_or_named() {
        let typed = Fields::parse(b"project=a&kind=tenant&project=b&others=c%2C+d%0D%0Ae");
        assert_eq!(projects_of(&typed), ["a", "b", "c", "d", "e"]);
        assert!(projects_of(&Fields::default()).is_empty());
    }
}
