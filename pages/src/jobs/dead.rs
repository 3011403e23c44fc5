//! Jobs that failed for good, by what killed them.

use crate::answers::{DeadGroup, Items};
use crate::ask::Refusal;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::response::Response;

#[derive(Template)]
#[template(path = "jobs/failed.html")]
pub(crate) struct FailedPage {
    pub shell: Shell,
    pub groups: Vec<DeadGroup>,
    pub jobs: i64,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Refusal> {
    let path = super::tidy(&format!("/api/jobs/dead/groups?{}", visit.project_query()));
    let groups = visit.ask.get::<Items<DeadGroup>>(&path).await?.items;
    let jobs = groups.iter().map(|group| group.jobs).sum();
    Ok(visit.page(&FailedPage { shell: visit.shell("failed"), groups, jobs }))
}
