//! Asking the API, in this process, as the visitor.

use crate::problem::Document;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of a JSON answer: a page of 500 matches with hundreds of records each still fits.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The API as one visitor may use it.
#[derive(Clone)]
pub(crate) struct Ask {
    inside: Router,
    token: Option<String>,
    /// So that one name leads through the log, whatever a page asks.
    request_id: String,
    /// For the list of sessions and the audit log.
    user_agent: Option<HeaderValue>,
}

/// What the API said instead of an answer. As a response it is the same problem document again.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub document: Box<Document>,
    retry_after: Option<HeaderValue>,
}

impl Refusal {
    pub fn new(status: StatusCode, document: Document) -> Self {
        Self { status, document: Box::new(document), retry_after: None }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(&self.document)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, crate::problem::CONTENT_TYPE.clone());
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

impl Ask {
    pub fn new(inside: Router, token: Option<&str>, headers: &HeaderMap) -> Self {
        let request_id = headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
        let user_agent = headers.get(header::USER_AGENT).cloned();
        Self { inside, token: token.map(str::to_owned), request_id: request_id.to_owned(), user_agent }
    }

    /// The token, for tokens of forms.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        read(self.send(self.request(Method::GET, path), Body::empty()).await).await
    }

    /// What is not there, or not for this visitor, is `None`.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Refusal> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Refusal { status: StatusCode::NOT_FOUND | StatusCode::FORBIDDEN, .. }) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Refusal> {
        let body = serde_json::to_vec(body).expect("what pages send is always JSON");
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        read(self.send(request, Body::from(body)).await).await
    }

    /// Asks for something to be done whose answer says nothing more.
    pub async fn act(&self, path: &str, body: Option<&serde_json::Value>) -> Result<(), Refusal> {
        let mut request = self.request(Method::POST, path);
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        accepted(self.send(request, body).await).await.map(|_| ())
    }

    pub async fn put(&self, path: &str, body: &serde_json::Value) -> Result<(), Refusal> {
        let request = self.request(Method::PUT, path).header(header::CONTENT_TYPE, "application/json");
        accepted(self.send(request, Body::from(body.to_string())).await).await.map(|_| ())
    }

    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, Refusal> {
        let request = self.request(Method::PATCH, path).header(header::CONTENT_TYPE, "application/json");
        read(self.send(request, Body::from(body.to_string())).await).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Refusal> {
        accepted(self.send(self.request(Method::DELETE, path), Body::empty()).await).await.map(|_| ())
    }

    /// An answer as it comes: streams and downloads.
    pub async fn open(&self, path: &str, last_event_id: Option<&str>) -> Result<Response, Refusal> {
        let mut request = self.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        accepted(self.send(request, Body::empty()).await).await
    }

    /// A form whose body is still coming.
    pub async fn post_form<T: DeserializeOwned>(
        &self,
        path: &str,
        boundary: &str,
        body: Body,
    ) -> Result<T, Refusal> {
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, content_type);
        read(self.send(request, body).await).await
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(method).uri(path).header(&REQUEST_ID, &self.request_id);
        if let Some(agent) = &self.user_agent {
            request = request.header(header::USER_AGENT, agent);
        }
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
    }

    async fn send(&self, request: axum::http::request::Builder, body: Body) -> Response {
        match request.body(body) {
            Ok(request) => {
                let Ok(response) = self.inside.clone().oneshot(request).await;
                response
            }
            // Of an address or a cookie that no client of ours makes.
            Err(_) => Refusal::new(StatusCode::NOT_FOUND, Document::not_found()).into_response(),
        }
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Refusal> {
    let response = accepted(response).await?;
    let bytes = to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(broken)?;
    // `null` where nothing was sent: for answers that nobody reads.
    let bytes = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
    serde_json::from_slice(bytes).map_err(broken)
}

async fn accepted(response: Response) -> Result<Response, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.map_err(broken)?;
    let document = serde_json::from_slice(&bytes).unwrap_or_else(|_| Document::of_status(status));
    Err(Refusal {
        retry_after: parts.headers.get(header::RETRY_AFTER).cloned(),
        ..Refusal::new(status, document)
    })
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "an answer of the API could not be read");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Refusal::new(status, Document::of_status(status))
}
