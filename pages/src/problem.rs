//! Problem documents (RFC 9457) as pages.

use crate::format::Preferences;
use crate::html::{self, page};
use crate::shell::Shell;
use askama::Template;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

pub(crate) static CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A problem as the API writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Document {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    #[serde(default)]
    pub instance: String,
    #[serde(default)]
    pub request_id: String,
    #[serde(default)]
    pub errors: Vec<Mistake>,
}

/// One thing that is wrong in what was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mistake {
    #[serde(default)]
    pub pointer: Option<String>,
    #[serde(default)]
    pub parameter: Option<String>,
    pub code: String,
    pub detail: String,
}

impl Mistake {
    /// The place in words: `#/rules/pass/2/amount` is `rules › pass 3 › amount`.
    pub fn place(&self) -> String {
        let pointer = self.pointer.as_deref().unwrap_or_default().trim_start_matches("#/");
        let mut place = String::new();
        for part in pointer.split('/').filter(|part| !part.is_empty()) {
            match part.parse::<u32>() {
                Ok(index) => place.push_str(&format!(" {}", index + 1)),
                Err(_) if place.is_empty() => place.push_str(part),
                Err(_) => place.push_str(&format!(" › {part}")),
            }
        }
        if place.is_empty() {
            self.parameter.clone().unwrap_or_default()
        } else {
            place.replace("~1", "/").replace("~0", "~")
        }
    }
}

impl Document {
    pub fn of_status(status: StatusCode) -> Self {
        Self {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Refused").into(),
            status: status.as_u16(),
            detail: String::new(),
            instance: String::new(),
            request_id: String::new(),
            errors: vec![],
        }
    }

    pub fn not_found() -> Self {
        Self {
            detail: "There is no such thing, or it is not yours to see".into(),
            ..Self::of_status(StatusCode::NOT_FOUND)
        }
    }

    /// The last part of its type: `conflict`.
    pub fn code(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

/// A form that is not ours.
pub(crate) fn refused(detail: &str) -> Response {
    let document = Document {
        title: "This form does not belong to your session".into(),
        detail: detail.into(),
        ..Document::of_status(StatusCode::FORBIDDEN)
    };
    crate::ask::Refusal::new(StatusCode::FORBIDDEN, document).into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    shell: Shell,
    document: Document,
    is_ours: bool,
    retry_after_s: Option<String>,
}

/// Turns problem documents into pages for browsers; whoever asks `/api` gets the document itself. Whoever has no session
/// (any more) is sent to log in, and comes back.
pub async fn show_problems(request: Request, next: Next) -> Response {
    let wants_page = !request.uri().path().starts_with("/api/") && accepts_html(request.headers());
    if !wants_page {
        return next.run(request).await;
    }
    let headers = request.headers().clone();
    let back = (*request.method() == Method::GET).then(|| request.uri().to_string());
    let response = next.run(request).await;
    if response.headers().get(header::CONTENT_TYPE) != Some(&CONTENT_TYPE) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let mut document: Document =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Document::of_status(parts.status));
    if document.code() == "unknown_route" {
        // What the API says here is for programs.
        document.detail = "It may be mistyped, or what it led to was removed".into();
    }
    if document.code() == "unauthenticated" {
        let target = match back.as_deref() {
            None | Some("/") => "/login".to_owned(),
            Some(back) => format!("/login?next={}", html::escape_query(back)),
        };
        let mut response = Redirect::to(&target).into_response();
        // A session that is over takes its cookies along.
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            response.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        return response;
    }
    let mut shown = page(
        &headers,
        &ProblemPage {
            shell: Shell::outside(Preferences::of(&headers)),
            is_ours: parts.status.is_server_error(),
            retry_after_s: parts
                .headers
                .get(header::RETRY_AFTER)
                .and_then(|s| s.to_str().ok())
                .map(str::to_owned),
            document,
        },
    );
    *shown.status_mut() = parts.status;
    for (name, value) in &parts.headers {
        if !matches!(
            *name,
            header::CONTENT_TYPE
                | header::CONTENT_LENGTH
                | header::CONTENT_SECURITY_POLICY
                | header::WWW_AUTHENTICATE
        ) {
            shown.headers_mut().insert(name, value.clone());
        }
    }
    shown.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(crate::POLICY));
    shown
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_like_words() {
        let place = |pointer: &str| {
            let mistake = Mistake {
                pointer: Some(pointer.into()),
                parameter: None,
                code: "x".into(),
                detail: String::new(),
            };
            mistake.place()
        };
        assert_eq!(place("#/rules/pass/2/amount/percent"), "rules › pass 3 › amount › percent");
        assert_eq!(place("#/mapping/date"), "mapping › date");
        assert_eq!(place("#/fields/a~1b"), "fields › a/b");
        assert_eq!(place(""), "");
    }
}
