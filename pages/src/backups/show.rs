//! One backup: what it holds, where it is, whether it is still whole; and what may be done with it.

use super::answers::{AcceptedJob, BackupDetail, Table};
use crate::ask::Refusal;
use crate::form::{Posted, refusal};
use crate::reconciliations::{Names, id_of};
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "backups/show.html")]
pub(crate) struct ShowPage {
    pub shell: Shell,
    pub detail: BackupDetail,
    /// Those with the most rows.
    pub tables: Vec<Table>,
    pub tables_in_all: usize,
}

/// The manifest has them all.
const TABLES_SHOWN: usize = 100;

pub(super) async fn show(visit: Visit, Path(names): Names) -> Result<Response, Refusal> {
    let detail: BackupDetail = visit.ask.get(&format!("/api/backups/{}", id_of(&names))).await?;
    let mut tables = detail.manifest.as_ref().map(|manifest| manifest.tables.clone()).unwrap_or_default();
    let tables_in_all = tables.len();
    tables.sort_by(|a, b| (b.figures.rows, &a.figures.table).cmp(&(a.figures.rows, &b.figures.table)));
    tables.truncate(TABLES_SHOWN);
    Ok(visit.page(&ShowPage { shell: visit.shell("backups"), detail, tables, tables_in_all }))
}

pub(super) async fn act(visit: Visit, Path(names): Names, _: Posted) -> Result<Response, Refusal> {
    let id = id_of(&names);
    let protect = async |is_protected: bool| {
        let body = json!({"is_protected": is_protected});
        visit.ask.put(&format!("/api/backups/{id}/protection"), &body).await
    };
    match names.get("action").map(String::as_str) {
        Some("protect") => protect(true).await?,
        Some("release") => protect(false).await?,
        Some("verify") => {
            let path = format!("/api/backups/{id}/verify");
            let accepted: AcceptedJob = visit.ask.post(&path, &Value::Null).await?;
            return Ok(Redirect::to(&format!("/system/jobs/{}", accepted.job_id)).into_response());
        }
        _ => return Err(refusal(StatusCode::NOT_FOUND, "There is no such action")),
    }
    Ok(Redirect::to(&format!("/system/backups/{id}")).into_response())
}
