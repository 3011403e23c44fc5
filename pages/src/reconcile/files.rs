//! Step one: two files, passed on to the API as they come.

use super::before::Before;
use super::uploads::{Labelled, label_files};
use crate::answers::{File, Items, Made};
use crate::ask::{Ask, Refusal};
use crate::form::{Fields, check_token, refusal};
use crate::problem::Mistake;
use crate::shell::{Shell, Visit};
use askama::Template;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Multipart, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use std::io;
use tokio::sync::mpsc;

#[derive(Template)]
#[template(path = "reconcile/files.html")]
pub(crate) struct FilesPage {
    pub shell: Shell,
    /// Uploaded before, newest first.
    pub files: Vec<Labelled>,
    /// What the files are to continue.
    pub before: Option<Before>,
    pub mistakes: Vec<Mistake>,
}

const FILES_SHOWN: u32 = 50;

pub(super) async fn show(visit: Visit, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    page(&visit, asked.get("continues"), vec![]).await.map(|page| visit.page(&page))
}

async fn page(visit: &Visit, continues: &str, mistakes: Vec<Mistake>) -> Result<FilesPage, Refusal> {
    let path = format!("/api/files?{}&limit={FILES_SHOWN}", visit.project_query());
    let (files, before) = tokio::join!(visit.ask.get::<Items<File>>(&path), Before::of(visit, continues));
    let shell = visit.shell("reconcile");
    let files = label_files(&shell.preferences, &files?.items);
    Ok(FilesPage { shell, files, before: before?, mistakes })
}

/// The form's fields, in its order: the token, a file or the id of an earlier one for each side.
pub(super) async fn upload(
    visit: Visit,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Refusal> {
    let mut form = form.map_err(|_| refusal(StatusCode::BAD_REQUEST, "The body is no form with files"))?;
    let received = receive(&visit, &mut form).await?;
    let base = visit.shell.base();
    match received {
        Received { left: Some(left), right: Some(right), continues, mistakes } if mistakes.is_empty() => {
            let continues = continues.map_or(String::new(), |id| format!("&continues={id}"));
            let target = format!("{base}/reconcile/columns?left={left}&right={right}{continues}");
            Ok(Redirect::to(&target).into_response())
        }
        Received { left, right, continues, mut mistakes } => {
            if mistakes.is_empty() {
                let side =
                    |missing: bool, side: &str| missing.then(|| mistake(side, "Choose a file for this side"));
                mistakes.extend(
                    [side(left.is_none(), "left"), side(right.is_none(), "right")].into_iter().flatten(),
                );
            }
            let page = page(&visit, continues.as_deref().unwrap_or_default(), mistakes).await?;
            Ok(visit.page_of(StatusCode::UNPROCESSABLE_ENTITY, &page))
        }
    }
}

#[derive(Default)]
struct Received {
    left: Option<String>,
    right: Option<String>,
    /// The run before.
    continues: Option<String>,
    mistakes: Vec<Mistake>,
}

fn mistake(side: &str, detail: &str) -> Mistake {
    Mistake {
        pointer: Some(format!("#/{side}")),
        parameter: None,
        code: "file".into(),
        detail: detail.into(),
    }
}

async fn receive(visit: &Visit, form: &mut Multipart) -> Result<Received, Refusal> {
    let broken = |error: MultipartError| refusal(StatusCode::BAD_REQUEST, &error.body_text());
    let mut received = Received::default();
    let mut is_ours = false;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "form_token" {
            check_token(Some(visit.ask.token()), &short_text(field).await?)?;
            is_ours = true;
            continue;
        }
        // Nothing is taken from a form that has not shown its token.
        if !is_ours {
            check_token(None, "")?;
        }
        match name.as_str() {
            "left" | "right" if field.file_name().is_some_and(|name| !name.is_empty()) => {
                match pass_on(&visit.ask, visit.project_id().unwrap_or_default(), field).await {
                    Ok(file) if name == "left" => received.left = Some(file.id),
                    Ok(file) => received.right = Some(file.id),
                    Err(refusal) if refusal.status.is_client_error() => {
                        let document = refusal.document;
                        let detail =
                            document.errors.first().map_or(document.detail, |first| first.detail.clone());
                        received.mistakes.push(mistake(&name, &detail));
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            "left_id" | "right_id" | "continues" => {
                let id = short_text(field).await?;
                // An id goes into an address of ours: it is one, or nothing.
                let id = id.parse::<uuid::Uuid>().ok().map(|id| id.to_string());
                let given = match name.as_str() {
                    "left_id" => &mut received.left,
                    "right_id" => &mut received.right,
                    _ => &mut received.continues,
                };
                *given = given.take().or(id);
            }
            _ => {}
        }
    }
    Ok(received)
}

/// Bytes of a field that is no file.
const TEXT_BYTES_MAX: usize = 1000;

async fn short_text(mut field: Field<'_>) -> Result<String, Refusal> {
    let mut text = vec![];
    while let Some(chunk) =
        field.chunk().await.map_err(|error| refusal(StatusCode::BAD_REQUEST, &error.body_text()))?
    {
        text.extend_from_slice(&chunk);
        if text.len() > TEXT_BYTES_MAX {
            return Err(refusal(StatusCode::BAD_REQUEST, "A field of the form is too long"));
        }
    }
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

const BOUNDARY: &str = "counterfoil-page-upload-7d1f0c2a9b";

/// Sends a file on while it comes, a chunk in memory at a time.
async fn pass_on(ask: &Ask, project_id: &str, mut field: Field<'_>) -> Result<Made, Refusal> {
    // Browsers may put quotes and line breaks into names; a header cannot hold them.
    let name: String = field
        .file_name()
        .unwrap_or_default()
        .chars()
        .map(|c| if c == '"' || c.is_control() { '_' } else { c })
        .collect();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"project_id\"\r\n\r\n{project_id}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let body = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let sending = async move {
        // An error of the sender: the API has answered already and wants no more.
        if sender.send(Ok(head.into())).await.is_err() {
            return;
        }
        loop {
            match field.chunk().await {
                Ok(Some(chunk)) => {
                    if sender.send(Ok(chunk)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = sender.send(Err(io::Error::other(error.body_text()))).await;
                    return;
                }
            }
        }
        let _ = sender.send(Ok(format!("\r\n--{BOUNDARY}--\r\n").into())).await;
    };
    let asking = ask.post_form::<Made>("/api/files/upload", BOUNDARY, Body::from_stream(body));
    let ((), answer) = tokio::join!(sending, asking);
    answer
}
