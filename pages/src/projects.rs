//! The first page: choosing a project, or making one.

use crate::Site;
use crate::answers::{Items, Project};
use crate::ask::Refusal;
use crate::form::Posted;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::json;

pub(crate) fn routes() -> Router<Site> {
    Router::new().route("/", get(first)).route("/projects", get(list).post(create))
}

#[derive(Template)]
#[template(path = "projects.html")]
pub(crate) struct ProjectsPage {
    pub shell: Shell,
    pub projects: Vec<Project>,
    pub name: String,
    pub mistakes: Vec<Mistake>,
}

/// With one project there is nothing to choose.
async fn first(visit: Visit) -> Redirect {
    match visit.shell.projects.as_slice() {
        [only] => Redirect::to(&format!("/p/{}", only.id)),
        _ => Redirect::to("/projects"),
    }
}

async fn list(visit: Visit) -> Result<Response, Refusal> {
    let projects = visit.ask.get::<Items<Project>>("/api/projects?limit=500").await?.items;
    Ok(visit.page(&ProjectsPage {
        shell: visit.shell("projects"),
        projects,
        name: String::new(),
        mistakes: vec![],
    }))
}

async fn create(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    match visit.ask.post::<Project>("/api/projects", &json!({"name": form.get("name")})).await {
        Ok(project) => Ok(Redirect::to(&format!("/p/{}", project.id)).into_response()),
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let projects = visit.ask.get::<Items<Project>>("/api/projects?limit=500").await?.items;
            let (shell, name) = (visit.shell("projects"), form.get("name").to_owned());
            let page = ProjectsPage { shell, projects, name, mistakes: refusal.document.errors };
            Ok(visit.page_of(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
        Err(refusal) => Err(refusal),
    }
}
