//! How much is left to decide, for the page of the result.

use super::answers::Review;
use super::head::Left;
use super::{api, ours};
use crate::ask::Refusal;
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::response::Response;

#[derive(Template)]
#[template(path = "review/left.html")]
pub(crate) struct LeftPart {
    pub shell: Shell,
    pub left: Left,
    /// Of the review.
    pub address: String,
}

pub(super) async fn show(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let review: Review = visit.ask.get(&api(&id, "")).await?;
    let shell = visit.shell("reconciliations");
    let address = ours(&shell.base(), &id, "");
    Ok(visit.page(&LeftPart { left: Left::new(&review), address, shell }))
}
