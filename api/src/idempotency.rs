//! Requests that may be sent again: `Idempotency-Key`, as draft-ietf-httpapi-idempotency-key-header has it.
//!
//! A client that got no answer sends the same request with the same key again, and gets the answer to the first one.
//! The answer is kept in the transaction of the change, so there is never one without the other. Only successes are
//! kept: a request that was refused has changed nothing, and is judged anew.
//!
//! [`note_key`] reads the header and the body's digest before anything else; a route that creates something takes
//! [`Repeatable`] and asks it twice: [`Repeatable::known`] before it checks what may have changed since the first
//! request, and [`Repeatable::begin`] in the transaction, which lets one of many equal requests through.

use crate::caller::Caller;
use crate::layers::JSON_BYTES_MAX;
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::state::Api;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::store::idempotency::{KeyedRequest, Seen, StoredAnswer, begin_request, keep_answer};
use shared::store::{Connection, StoreError};
use std::time::Duration;

pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const KEY_CHARS_MAX: usize = 255;

#[derive(Clone)]
struct Noted {
    key: String,
    fingerprint: [u8; 32],
}

/// Notes key and digest of a POST that carries one. Its body is read here, and then given on whole.
pub(crate) async fn note_key(mut request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(&IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    let Some(key) = read_key(request.headers()) else { return malformed_key().into_response() };
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, JSON_BYTES_MAX).await else {
        return Problem::new(ProblemKind::TooLarge, "A JSON body has at most 1 MiB").into_response();
    };
    let fingerprint = KeyedRequest::fingerprint_of(parts.method.as_str(), parts.uri.path(), &bytes);
    request = Request::from_parts(parts, Body::from(bytes));
    request.extensions_mut().insert(Noted { key, fingerprint });
    next.run(request).await
}

fn malformed_key() -> Problem {
    Problem::invalid(vec![Mistake {
        pointer: None,
        parameter: Some("Idempotency-Key".into()),
        code: "format",
        detail: format!(
            "must be one key of 1 to {KEY_CHARS_MAX} printable ASCII characters, in quotes or not"
        ),
    }])
}

/// The draft wants a structured string, `"…"` with `\` before `"` and `\`; most clients send it bare. Both name the
/// same key.
fn read_key(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?.trim();
    let key = match text.strip_prefix('"') {
        None if text.contains('"') => return None,
        None => text.to_owned(),
        Some(rest) => unquote(rest)?,
    };
    let is_plain = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    ((1..=KEY_CHARS_MAX).contains(&key.len()) && is_plain).then_some(key)
}

/// What follows the opening quote, up to the closing one, which must be the end.
fn unquote(rest: &str) -> Option<String> {
    let mut key = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(characters.next().filter(|c| matches!(c, '"' | '\\'))?),
            other => key.push(other),
        }
    }
}

/// Whether this request may have been sent before.
pub(crate) struct Repeatable {
    request: Option<KeyedRequest>,
    life: Duration,
}

impl FromRequestParts<Api> for Repeatable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let request = match parts.extensions.get::<Noted>().cloned() {
            None => None,
            Some(Noted { key, fingerprint }) => {
                let user_id = Caller::from_request_parts(parts, api).await?.user_id;
                Some(KeyedRequest { user_id, key, fingerprint })
            }
        };
        Ok(Self { request, life: api.idempotency_key_life })
    }
}

/// The key of a request whose body is too large to be read before its route: what was sent is known in the end.
pub(crate) struct LateKey(Option<String>);

impl LateKey {
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        if !headers.contains_key(&IDEMPOTENCY_KEY) {
            return Ok(Self(None));
        }
        read_key(headers).map(|key| Self(Some(key))).ok_or_else(malformed_key)
    }

    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// `sent` is whatever makes two such requests the same.
    pub fn of_request(self, api: &Api, caller: &Caller, path: &str, sent: &[u8]) -> Repeatable {
        let fingerprint = KeyedRequest::fingerprint_of(Method::POST.as_str(), path, sent);
        let request = self.0.map(|key| KeyedRequest { user_id: caller.user_id, key, fingerprint });
        Repeatable { request, life: api.idempotency_key_life }
    }
}

impl Repeatable {
    /// The answer that was given already, if any. To be asked once it is clear that the caller may do this at all.
    pub async fn known(&self, api: &Api) -> Result<Option<Response>, Problem> {
        match &self.request {
            None => Ok(None),
            Some(request) => answer_seen(api.store.look_up_key(request, self.life).await?),
        }
    }

    /// The same inside the transaction of the change. `None`: go on, nobody else does.
    pub async fn begin(&self, conn: &mut Connection) -> Result<Option<Response>, Problem> {
        match &self.request {
            None => Ok(None),
            Some(request) => answer_seen(begin_request(conn, request, self.life).await?),
        }
    }

    /// Keeps the answer for repetitions, and makes the response of it. To be called before the commit.
    pub async fn keep<T: Serialize>(
        &self,
        conn: &mut Connection,
        status: StatusCode,
        location: Option<String>,
        answer: &T,
    ) -> Result<Response, StoreError> {
        let body = serde_json::to_vec(answer).expect("our answers are always JSON");
        let answer = StoredAnswer { status: status.as_u16(), location, body };
        if let Some(request) = &self.request {
            keep_answer(conn, request, &answer).await?;
        }
        Ok(respond(answer))
    }
}

fn answer_seen(seen: Seen) -> Result<Option<Response>, Problem> {
    match seen {
        Seen::New => Ok(None),
        Seen::Answered(answer) => {
            let mut response = respond(answer);
            response.headers_mut().insert(&REPLAYED, HeaderValue::from_static("true"));
            metrics::counter!("counterfoil_requests_replayed_total").increment(1);
            Ok(Some(response))
        }
        Seen::OtherRequest => Err(Problem::new(
            ProblemKind::IdempotencyKeyReused,
            "This key came with another request; take a new key for each thing you want done",
        )),
        Seen::InFlight => Err(Problem::new(
            ProblemKind::IdempotencyKeyInFlight,
            "The first request with this key is being worked on",
        )),
    }
}

fn respond(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = answer.location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        read_key(&headers)
    }

    #[test]
    fn keys_come_bare_or_in_quotes() {
        assert_eq!(read(&[b"8e03978e-40d5"]).as_deref(), Some("8e03978e-40d5"));
        assert_eq!(read(&[b"\"8e03978e-40d5\""]).as_deref(), Some("8e03978e-40d5"));
        assert_eq!(read(&[br#""a \"b\" \\""#]).as_deref(), Some(r#"a "b" \"#));
        assert_eq!(read(&[&[b'k'; 255]]).map(|key| key.len()), Some(255));
    }

    #[test]
    fn what_is_no_single_key_is_refused() {
        let long = [b'k'; 256];
        let bad: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"\"\""],
            &[b"\"open"],
            &[b"\"a\" b"],
            &[b"a\"b"],
            &[b"\xc3\xa9"],
            &[&long],
            &[b"a", b"b"],
        ];
        for values in bad {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
