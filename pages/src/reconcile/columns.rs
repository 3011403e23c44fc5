//! Step two: what the columns mean. Proposed, tried on the file, corrected, and then kept as data sources.

use super::mapping::{Choice, Choices, ColumnShown, brings_columns};
use crate::answers::{DryRun, File, Items, Made, Preview, TypedRow};
use crate::ask::Refusal;
use crate::form::{Fields, Posted};
use crate::html::escape_query;
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

/// One file on the page.
pub(crate) struct SideShown {
    /// `left` or `right`.
    pub side: &'static str,
    pub file_id: String,
    pub preview: Preview,
    pub choices: Choices,
    pub columns: Vec<ColumnShown>,
    pub date_formats: Vec<Choice>,
    pub is_date_order_unclear: bool,
    pub brings_columns: bool,
    pub tried: Option<DryRun>,
    pub rows: Vec<TypedRow>,
    /// Names of the fields that rows have.
    pub fields: Vec<String>,
    pub mistakes: Vec<Mistake>,
}

#[derive(Template)]
#[template(path = "reconcile/columns.html")]
pub(crate) struct ColumnsPage {
    pub shell: Shell,
    pub sides: [SideShown; 2],
}

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let (left, right) = tokio::join!(
        side(&visit, "left", asked.get("left"), None),
        side(&visit, "right", asked.get("right"), None)
    );
    Ok(visit.page(&ColumnsPage { shell: visit.shell("reconcile"), sides: [left?, right?] }))
}

/// Either to look at what the choices make of the files, or to go on with them.
pub(super) async fn decide(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let (left, right) = tokio::join!(
        side(&visit, "left", form.get("left"), Some(&form)),
        side(&visit, "right", form.get("right"), Some(&form))
    );
    let mut page = ColumnsPage { shell: visit.shell("reconcile"), sides: [left?, right?] };
    if form.get("action") == "check" || page.sides.iter().any(|side| !side.mistakes.is_empty()) {
        return Ok(visit.page_of(status(&page), &page));
    }
    let mut made = vec![];
    for side in &mut page.sides {
        let body = visit.in_project(json!({
            "file_id": side.file_id, "name": side.choices.name, "mapping": side.choices.mapping(&side.preview),
        }));
        match visit.ask.post::<Made>("/api/data-sources", &body).await {
            Ok(source) => made.push(source.id),
            Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
                side.mistakes = refusal.document.errors
            }
            Err(refusal) => return Err(refusal),
        }
    }
    match made.as_slice() {
        [left, right] => {
            let target = format!("{}/reconcile/rules?left={left}&right={right}", visit.shell.base());
            Ok(Redirect::to(&target).into_response())
        }
        _ => Ok(visit.page_of(status(&page), &page)),
    }
}

fn status(page: &ColumnsPage) -> StatusCode {
    let is_fine = page.sides.iter().all(|side| side.mistakes.is_empty());
    if is_fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

async fn side(
    visit: &Visit,
    side: &'static str,
    file_id: &str,
    form: Option<&Fields>,
) -> Result<SideShown, Refusal> {
    let id = escape_query(file_id);
    let preview: Preview = visit.ask.get(&format!("/api/files/{id}/preview")).await?;
    let choices = match form {
        Some(form) => Choices::read(form, side, preview.columns.len()),
        None => Choices::of(&preview, &file_name(visit, file_id).await?),
    };
    let mapping = choices.mapping(&preview);
    let (tried, mistakes) =
        if preview.format.is_none() { (None, vec![]) } else { try_on(visit, &id, &mapping).await? };
    Ok(side_shown(side, file_id.to_owned(), preview, choices, tried, mistakes))
}

pub(crate) fn side_shown(
    side: &'static str,
    file_id: String,
    preview: Preview,
    choices: Choices,
    tried: Option<DryRun>,
    mistakes: Vec<Mistake>,
) -> SideShown {
    let rows = tried.as_ref().map_or_else(|| preview.rows.clone(), |tried| tried.rows.clone());
    let mut fields: Vec<String> = rows.iter().flat_map(|row| row.fields.keys().cloned()).collect();
    fields.sort();
    fields.dedup();
    SideShown {
        side,
        file_id,
        columns: choices.columns(&preview, side),
        date_formats: choices.date_formats(&preview),
        is_date_order_unclear: choices.is_date_order_unclear(&preview),
        brings_columns: brings_columns(&preview),
        preview,
        choices,
        tried,
        rows,
        fields,
        mistakes,
    }
}

/// What the mapping makes of the file, or what is wrong with it.
async fn try_on(visit: &Visit, id: &str, mapping: &Value) -> Result<(Option<DryRun>, Vec<Mistake>), Refusal> {
    match visit.ask.post::<DryRun>(&format!("/api/files/{id}/dry-run"), &json!({"mapping": mapping})).await {
        Ok(tried) => Ok((Some(tried), vec![])),
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            Ok((None, refusal.document.errors))
        }
        Err(refusal) => Err(refusal),
    }
}

async fn file_name(visit: &Visit, id: &str) -> Result<String, Refusal> {
    // There is no route for a single file; the newest are those that somebody works with.
    let files: Items<File> =
        visit.ask.get(&format!("/api/files?{}&limit=500", visit.project_query())).await?;
    let found = files.items.into_iter().find(|file| file.id == id);
    Ok(found.map_or_else(|| "file".to_owned(), |file| file.name.chars().take(200).collect()))
}
