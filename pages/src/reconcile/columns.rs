//! Step two: what the columns mean. Proposed, tried on the file, corrected, and then kept as data sources.

use super::before::{Before, take_over};
use super::choices::Choices;
use super::mapping::brings_columns;
use super::reading::Reading;
use super::side::{SideShown, side_shown};
use crate::answers::{DryRun, File, Items, Made, Preview};
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

#[derive(Template)]
#[template(path = "reconcile/columns.html")]
pub(crate) struct ColumnsPage {
    pub shell: Shell,
    pub sides: [SideShown; 2],
    /// What the files are to continue.
    pub before: Option<Before>,
}

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    let page = page(&visit, &asked, None).await?;
    Ok(visit.page(&page))
}

/// Either to look at what the choices make of the files, or to go on with them.
pub(super) async fn decide(visit: Visit, form: Posted) -> Result<Response, Refusal> {
    let mut page = page(&visit, &form, Some(&form)).await?;
    // Columns that nobody has seen are not used.
    let is_changed = |side: &SideShown| side.read_as != form.get(&format!("{}.read_as", side.side));
    let is_wrong = |side: &SideShown| !side.mistakes.is_empty();
    if form.get("action") == "check" || page.sides.iter().any(|side| is_changed(side) || is_wrong(side)) {
        return Ok(visit.page_of(status(&page), &page));
    }
    let mut made = vec![];
    for side in &mut page.sides {
        let body = visit.in_project(json!({
            "file_id": side.file_id, "name": side.choices.name, "mapping": side.mapping(),
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
            let continues = Before::query(page.before.as_ref());
            let target =
                format!("{}/reconcile/rules?left={left}&right={right}{continues}", visit.shell.base());
            Ok(Redirect::to(&target).into_response())
        }
        _ => Ok(visit.page_of(status(&page), &page)),
    }
}

fn status(page: &ColumnsPage) -> StatusCode {
    let is_fine = page.sides.iter().all(|side| side.mistakes.is_empty());
    if is_fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

/// `asked` names the files, and the run that they continue.
async fn page(visit: &Visit, asked: &Fields, form: Option<&Fields>) -> Result<ColumnsPage, Refusal> {
    let before = Before::of(visit, asked.get("continues")).await?;
    let (left, right) = tokio::join!(
        side(visit, "left", asked.get("left"), form, before.as_ref()),
        side(visit, "right", asked.get("right"), form, before.as_ref())
    );
    Ok(ColumnsPage { shell: visit.shell("reconcile"), sides: [left?, right?], before })
}

async fn side(
    visit: &Visit,
    side: &'static str,
    file_id: &str,
    form: Option<&Fields>,
    before: Option<&Before>,
) -> Result<SideShown, Refusal> {
    let id = escape_query(file_id);
    let found: Preview = visit.ask.get(&format!("/api/files/{id}/preview")).await?;
    let taken_from = before.and_then(|run| run.source(side));
    let mut reading = match (form, taken_from) {
        (Some(form), _) => Reading::read(form, side),
        (None, Some(source)) => Reading::of_mapping(&source.mapping, &found),
        (None, None) => Reading::default(),
    };
    let (preview, mut mistakes) = read_as(visit, &id, &found, &reading).await?;
    let mut notes = vec![];
    if form.is_none() && !mistakes.is_empty() {
        // The run before had other files: no mistake of anybody's.
        notes.extend(
            mistakes
                .drain(..)
                .map(|mistake| format!("It is not read as in the run before: {}", mistake.detail)),
        );
        reading = Reading::default();
    }
    let choices = match form {
        Some(form) => {
            let typed = Choices::read(form, side, preview.columns.len());
            let is_for_this = form.get(&format!("{side}.read_as")) == reading.query();
            if is_for_this { typed } else { typed.anew(&preview) }
        }
        None => {
            let name = file_name(visit, file_id).await?;
            let taken = taken_from.filter(|_| !brings_columns(&preview));
            match taken.map(|source| take_over(&preview, &source.mapping, &name)) {
                Some(Ok(choices)) => {
                    notes.push("The mapping is that of the run before".into());
                    choices
                }
                Some(Err(missing)) => {
                    let names = missing.join(", ");
                    notes.push(format!("The mapping of the run before does not fit, and another is proposed: there is no column {names}"));
                    Choices::of(&preview, &name)
                }
                None => Choices::of(&preview, &name),
            }
        }
    };
    if before.is_some() && !brings_columns(&preview) && !choices.roles.iter().any(|role| role == "id") {
        notes.push("To continue a run, each side needs a record id: choose its column".into());
    }
    let mut shown = side_shown(side, file_id.to_owned(), preview, choices, &reading);
    shown.reading = reading.shown(side, &found, &visit.shell.preferences);
    shown.decimal_found = decimal_found(&found, visit);
    let mapping = shown.mapping();
    let tried = if shown.preview.format.is_none() { None } else { Some(try_on(visit, &id, &mapping).await?) };
    if let Some((tried, wrong)) = tried {
        mistakes.extend(wrong);
        shown.take(tried);
    }
    shown.notes = notes.into_iter().chain(shown.doubts(&mistakes)).collect();
    shown.mistakes = mistakes;
    Ok(shown)
}

/// The preview as it is told to be; as found where that cannot be, with the reason.
async fn read_as(
    visit: &Visit,
    id: &str,
    found: &Preview,
    reading: &Reading,
) -> Result<(Preview, Vec<Mistake>), Refusal> {
    if reading.is_as_found() {
        return Ok((found.clone(), vec![]));
    }
    match visit.ask.get(&format!("/api/files/{id}/preview?{}", reading.query())).await {
        Ok(preview) => Ok((preview, vec![])),
        Err(refusal) if refusal.status == StatusCode::UNPROCESSABLE_ENTITY => {
            Ok((found.clone(), refusal.document.errors))
        }
        Err(refusal) => Err(refusal),
    }
}

fn decimal_found(found: &Preview, visit: &Visit) -> String {
    let Some(mark) = &found.decimal_mark else { return String::new() };
    let shown = if mark.is == "comma" { "1.234,50" } else { "1,234.50" };
    format!("{shown}, {} sure", visit.shell.preferences.percent(mark.confidence, 0))
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
