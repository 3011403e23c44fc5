//! Uploads: streamed from the socket to the object store, a chunk in memory at a time.
//!
//! The object is whole before its row is written, so a row never points at nothing. Whatever goes wrong in
//! between deletes the object again, also when the client goes away.

use super::FileAnswer;
use crate::caller::Caller;
use crate::idempotency::{LateKey, Repeatable};
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::state::Api;
use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use shared::ids::{FileId, ProjectId};
use shared::objects::{ObjectKey, Objects, PutError, PutOutcome};
use shared::store::StoreError;
use shared::store::audit;
use shared::store::files::{NewFile, insert_file_within};
use shared::store::projects::ProjectRole;
use shared::store::reach::{self, Reach};
use std::time::Duration;
use utoipa::ToSchema;

/// The form of an upload. The project comes first, so that nothing is taken from strangers.
#[derive(ToSchema)]
pub(crate) struct Upload {
    #[schema(value_type = uuid::Uuid)]
    project_id: ProjectId,
    /// With a file name.
    #[schema(value_type = String, format = Binary)]
    file: Stored,
}

/// A file whose bytes are in the object store.
struct Stored {
    name: String,
    object: Unowned,
    put: PutOutcome,
}

/// Upload a file into a project.
#[utoipa::path(
    post, path = "/api/files/upload", tag = "files", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "Stored", body = FileAnswer),
        (status = 409, description = "The project has as many files as it may have; delete some. Or the first request with this key is being worked on",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn upload_file(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Response, Problem> {
    let key = LateKey::read(&headers)?;
    let form = form.map_err(|_| {
        Problem::new(ProblemKind::UnsupportedMediaType, "Send multipart/form-data with a boundary")
    })?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > api.upload_bytes_max.saturating_add(FORM_BYTES_MAX)) {
        return Err(too_large(api.upload_bytes_max));
    }
    let upload = receive(&api, &headers, form, key.is_given()).await?;
    let id = upload.file.object.id;
    let new = NewFile {
        id,
        project_id: upload.project_id,
        name: upload.file.name,
        size_bytes: upload.file.put.size_bytes,
        sha256: upload.file.put.sha256,
        object_key: upload.file.object.key.clone(),
        uploaded_by: caller.user_id,
    };
    // The same project, name and bytes are the same request, however the form was written.
    let sent = [new.project_id.0.as_bytes(), new.sha256.as_slice(), new.name.as_bytes()].concat();
    let repeatable = key.of_request(&api, &caller, "/api/files/upload", &sent);
    let object = upload.file.object;
    // On its own, so that a client that goes away now cannot part the row from the object.
    let recording = async move { record(&api, &new, object, &repeatable).await };
    let reach = reach::current().unwrap_or_else(Reach::undecided);
    let recording = reach.around(recording);
    let recorded = match audit::current() {
        Some(context) => tokio::spawn(context.around(recording)),
        None => tokio::spawn(recording),
    };
    recorded.await.map_err(|error| Problem::internal("recording an upload", &error))?
}

/// The row, and with it the answer for repetitions. A repetition's bytes are thrown away.
async fn record(
    api: &Api,
    new: &NewFile,
    object: Unowned,
    repeatable: &Repeatable,
) -> Result<Response, Problem> {
    let files_max = api.project_files_max;
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let file = insert_file_within(&mut tx, new, files_max).await?.ok_or_else(|| too_many(files_max))?;
    let size_bytes = file.size_bytes;
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, None, &FileAnswer::from(file)).await?;
    // Before the commit: of one whose answer is lost nobody knows whether the row is there. Bytes without a row cost
    // room, a row without bytes costs the file.
    object.keep();
    tx.commit().await.map_err(StoreError::from)?;
    metrics::counter!("counterfoil_upload_bytes_total").increment(size_bytes);
    Ok(response)
}

/// What the form may add to the file, when the whole body is refused by its announced length.
const FORM_BYTES_MAX: u64 = 64 << 10;

fn too_large(bytes_max: u64) -> Problem {
    Problem::new(ProblemKind::TooLarge, format!("A file has at most {bytes_max} bytes"))
}

fn too_many(files_max: u32) -> Problem {
    Problem::new(
        ProblemKind::Conflict,
        format!("The project has {files_max} files, as many as it may; delete some"),
    )
}

async fn receive(
    api: &Api,
    headers: &HeaderMap,
    mut form: Multipart,
    may_be_repetition: bool,
) -> Result<Upload, Problem> {
    let patience = api.request_timeout;
    let first = next_field(&mut form, patience).await?;
    let project_id = match first {
        Some(field) if field.name() == Some("project_id") => read_project_id(field, patience).await?,
        _ => return Err(mistake("project_id", "missing", "project_id must be the first field of the form")),
    };
    api.grant(headers, project_id, ProjectRole::Operator).await?;
    // Before anything is written; what counts is said again when the row is. A repetition needs no room.
    if !may_be_repetition && api.store.count_files(project_id).await? >= i64::from(api.project_files_max) {
        return Err(too_many(api.project_files_max));
    }
    let file = match next_field(&mut form, patience).await? {
        Some(field) if field.name() == Some("file") => store_file(api, project_id, field).await?,
        _ => return Err(mistake("file", "missing", "file must be the second field of the form")),
    };
    if let Some(field) = next_field(&mut form, patience).await? {
        let name: String = field.name().unwrap_or_default().chars().take(100).collect();
        return Err(mistake(&name, "unknown_field", "the form has no fields behind project_id and file"));
    }
    Ok(Upload { project_id, file })
}

async fn store_file(api: &Api, project_id: ProjectId, field: Field<'_>) -> Result<Stored, Problem> {
    let name = check_name(field.file_name()).map_err(|says| mistake("file", "file_name", says))?;
    let id = FileId::new();
    let key = ObjectKey::for_upload(project_id, id);
    let chunks = std::pin::pin!(with_patience(field, api.request_timeout));
    let put = api.objects.put(&key, chunks, api.upload_bytes_max).await.map_err(|error| match error {
        PutError::TooLarge { bytes_max } => too_large(bytes_max),
        PutError::Source(broken) => broken.into_problem(),
        PutError::Store(error) => Problem::internal("writing an upload", &error),
    })?;
    let object = Unowned { id, key, objects: api.objects.clone(), kept: false };
    if put.size_bytes == 0 {
        return Err(mistake("file", "empty", "the file is empty"));
    }
    Ok(Stored { name, object, put })
}

/// An object without a row: deleted when dropped, unless it was kept.
struct Unowned {
    id: FileId,
    key: ObjectKey,
    objects: Objects,
    kept: bool,
}

impl Unowned {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Unowned {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let (objects, key) = (self.objects.clone(), self.key.clone());
        tokio::spawn(async move {
            if let Err(error) = objects.delete(&key).await {
                tracing::error!(%error, key = key.as_str(), "an object without a row stays behind");
            }
        });
    }
}

/// 1 to 255 characters, without folders and control characters.
fn check_name(name: Option<&str>) -> Result<String, &'static str> {
    // Some browsers send the whole path.
    let name = name.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default().trim();
    match name.chars().count() {
        0 => Err("the file needs a file name"),
        256.. => Err("the file name has more than 255 characters"),
        _ if name.chars().any(char::is_control) => Err("the file name contains control characters"),
        _ => Ok(name.to_owned()),
    }
}

async fn read_project_id(field: Field<'_>, patience: Duration) -> Result<ProjectId, Problem> {
    let wrong = || mistake("project_id", "format", "must be an id (a UUID)");
    let mut chunks = std::pin::pin!(with_patience(field, patience));
    let mut text = vec![];
    while let Some(chunk) = chunks.next().await {
        text.extend_from_slice(&chunk.map_err(Broken::into_problem)?);
        if text.len() > 100 {
            return Err(wrong());
        }
    }
    std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)
}

async fn next_field(form: &mut Multipart, patience: Duration) -> Result<Option<Field<'_>>, Problem> {
    match tokio::time::timeout(patience, form.next_field()).await {
        Ok(Ok(field)) => Ok(field),
        Ok(Err(error)) => Err(Broken::Malformed(error).into_problem()),
        Err(_) => Err(Broken::Silent(patience).into_problem()),
    }
}

/// Why no more came from the client.
enum Broken {
    Malformed(MultipartError),
    Silent(Duration),
}

impl Broken {
    fn into_problem(self) -> Problem {
        match self {
            Broken::Malformed(error) => Problem::new(ProblemKind::MalformedForm, error.body_text()),
            Broken::Silent(patience) => {
                let detail = format!("Nothing came for {} s", patience.as_secs_f32());
                Problem::new(ProblemKind::TimedOut, detail)
            }
        }
    }
}

/// An upload may take any time, but not stand still.
fn with_patience<'f>(
    field: Field<'f>,
    patience: Duration,
) -> impl Stream<Item = Result<Bytes, Broken>> + use<'f> {
    futures_util::stream::unfold(Some(field), move |field| async move {
        let mut field = field?;
        match tokio::time::timeout(patience, field.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(field))),
            Ok(Some(Err(error))) => Some((Err(Broken::Malformed(error)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(Broken::Silent(patience)), None)),
        }
    })
}

fn mistake(field: &str, code: &'static str, detail: &str) -> Problem {
    let mut pointer = "#".to_owned();
    crate::read::push_pointer(&mut pointer, field);
    Problem::invalid(vec![Mistake {
        pointer: Some(pointer),
        parameter: None,
        code,
        detail: detail.to_owned(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lose_their_folders() {
        assert_eq!(check_name(Some("bank.csv")).unwrap(), "bank.csv");
        assert_eq!(check_name(Some(r"C:\books\März.csv")).unwrap(), "März.csv");
        assert_eq!(check_name(Some("../../etc/passwd")).unwrap(), "passwd");
        for bad in [None, Some(""), Some("a/"), Some("  "), Some("a\nb"), Some(&*"x".repeat(256))] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
