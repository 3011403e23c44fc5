//! Sending HTML: packed where the browser can unpack it. And small pieces of it that are safe as they are.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt;
use std::io::Write;

/// HTML that needs no escaping: made by us from parts that were escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Html(pub String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// Smaller bodies fit into one packet anyway.
const PACKED_FROM: usize = 1024;

/// A whole page, or a piece that replaces a part of one.
pub(crate) fn page(headers: &HeaderMap, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => send(headers, "text/html; charset=utf-8", text.into_bytes()),
        Err(error) => {
            tracing::error!(%error, "a template could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What differs between two pages of one visitor.
pub(crate) struct Content {
    pub title: String,
    /// `<main …>…</main>`.
    pub main: String,
}

/// The content of a page without its frame, for a browser that has the frame already.
pub(crate) fn content(template: &impl Template) -> Option<Content> {
    let page =
        template.render().inspect_err(|error| tracing::error!(%error, "a template could not be rendered"));
    let page = page.ok()?;
    let title = page.split_once("<title>")?.1.split_once("</title>")?.0.to_owned();
    let (from, to) = (page.find("<main ")?, page.rfind("</main>")? + "</main>".len());
    Some(Content { title, main: page.get(from..to)?.to_owned() })
}

pub(crate) fn send(headers: &HeaderMap, content_type: &'static str, body: Vec<u8>) -> Response {
    let may_pack = accepts_gzip(headers) && body.len() >= PACKED_FROM;
    let mut response = if may_pack {
        let mut response = pack(&body, Compression::fast()).into_response();
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        body.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

pub(crate) fn pack(body: &[u8], level: Compression) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 3), level);
    packer.write_all(body).and_then(|()| packer.finish()).expect("memory takes every byte")
}

/// For text between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// For one value in a query.
pub(crate) fn escape_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// An icon of 16 pixels in the colour of the text around it. It says nothing by itself: a word stands beside it.
pub(crate) fn icon(name: &str) -> Html {
    let paths = match name {
        "overview" => "<path d='M2 9h4v5H2zM6 2h4v12H6zM10 6h4v8h-4z'/>",
        "reconcile" => "<path d='M2 5h9l-2.5-2.5M14 11H5l2.5 2.5'/>",
        "list" => "<path d='M2 4h12M2 8h12M2 12h12'/>",
        "jobs" => {
            "<path d='M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M3.4 3.4l2.1 2.1M10.5 10.5l2.1 2.1M12.6 3.4l-2.1 2.1M5.5 10.5l-2.1 2.1'/>"
        }
        "queues" => "<path d='M2 3h12v3H2zM2 8h12v3H2zM4 13.5h8'/>",
        "schedules" | "scheduled" => "<circle cx='8' cy='8' r='6'/><path d='M8 4.5V8l2.5 1.5'/>",
        "failed" | "dead" => "<circle cx='8' cy='8' r='6'/><path d='M5.5 5.5l5 5M10.5 5.5l-5 5'/>",
        "projects" => "<path d='M1.5 4h5l1.5 2h6.5v7h-13z'/>",
        "available" => "<path d='M3 8h10M8 3v10' /><circle cx='8' cy='8' r='6'/>",
        "running" => "<path d='M14 8a6 6 0 1 1-2-4.5M14 1.5v3h-3'/>",
        "completed" | "check" => "<path d='M2.5 8.5l3.5 3.5 7.5-8'/>",
        "cancelled" | "stop" => "<circle cx='8' cy='8' r='6'/><path d='M4 12l8-8'/>",
        "suggested" => {
            "<circle cx='8' cy='8' r='6'/><path d='M6.3 6.2a1.8 1.8 0 1 1 2.4 1.7c-.5.2-.7.5-.7 1.1M8 11.2v.3'/>"
        }
        "warning" => "<path d='M8 2l6.5 12h-13zM8 6.5v3.5M8 11.8v.4'/>",
        "download" => "<path d='M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11'/>",
        "upload" => "<path d='M8 10.5V2.5M4.5 6L8 2.5 11.5 6M2.5 13.5h11'/>",
        "pause" => "<path d='M5.5 3v10M10.5 3v10'/>",
        "play" => "<path d='M4.5 2.5l8 5.5-8 5.5z'/>",
        "user" => "<circle cx='8' cy='5' r='2.8'/><path d='M2.5 14c.6-3 2.7-4.5 5.5-4.5s4.9 1.5 5.5 4.5'/>",
        "leave" => "<path d='M6.5 2.5h-4v11h4M6 8h8M11 5l3 3-3 3'/>",
        "theme" => "<circle cx='8' cy='8' r='6'/><path d='M8 2v12a6 6 0 0 0 0-12' class='filled'/>",
        "retry" => "<path d='M2 8a6 6 0 1 1 2 4.5M2 14.5v-3h3'/>",
        "next" => "<path d='M6 3l5 5-5 5'/>",
        "plus" => "<path d='M8 2.5v11M2.5 8h11'/>",
        "print" => "<path d='M4.5 6V2h7v4M4.5 12H2V6h12v6h-2.5M4.5 10h7v4h-7z'/>",
        "write-off" => "<path d='M3 3h10v10H3zM5.5 8h5'/>",
        "split" => "<path d='M2 8h4M6 8l4-4.5h4M6 8l4 4.5h4'/>",
        "undo" => "<path d='M5.5 3L2 6.5 5.5 10M2 6.5h7.5a4 4 0 0 1 0 7H6'/>",
        "comment" => "<path d='M2 3h12v8H7l-3 3v-3H2z'/>",
        "due" => "<path d='M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v3M10.5 2v3'/>",
        "approvals" => {
            "<path d='M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8z'/><circle cx='8' cy='8' r='1.8'/>"
        }
        "people" => {
            "<circle cx='6' cy='5.2' r='2.4'/><path d='M1.5 13c.4-2.8 2.1-4.2 4.5-4.2s4.1 1.4 4.5 4.2M10.5 3a2.3 2.3 0 0 1 0 4.5M12 9.2c1.4.6 2.2 1.8 2.5 3.8'/>"
        }
        "key" => "<circle cx='5' cy='8' r='3'/><path d='M8 8h6.5M12 8v2.5'/>",
        "audit" => "<path d='M4 1.5h8v13H4zM6 5h4M6 8h4M6 11h2'/>",
        "settings" => {
            "<path d='M2 4.5h7M12 4.5h2M2 11.5h2M7 11.5h7'/><circle cx='10.5' cy='4.5' r='1.5'/><circle cx='5.5' cy='11.5' r='1.5'/>"
        }
        "workers" => "<path d='M2 2.5h12v4.5H2zM2 9h12v4.5H2zM4.5 4.8h.2M4.5 11.2h.2'/>",
        "backups" => {
            "<ellipse cx='8' cy='3.8' rx='5.5' ry='2'/><path d='M2.5 3.8v8.4c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2V3.8M2.5 8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2'/>"
        }
        "bell" => {
            "<path d='M3 11.5h10c-1-1-1.3-2-1.3-4.5a3.7 3.7 0 0 0-7.4 0c0 2.5-.3 3.5-1.3 4.5zM6.5 13.5a1.6 1.6 0 0 0 3 0'/>"
        }
        "info" => "<circle cx='8' cy='8' r='6'/><path d='M8 7.3v3.5M8 5v.3'/>",
        "webhooks" => "<path d='M2 8h7M6 4l4 4-4 4M13.5 3v10'/>",
        "search" => "<circle cx='7' cy='7' r='4.5'/><path d='M10.5 10.5L14 14'/>",
        _ => "<circle cx='8' cy='8' r='2'/>",
    };
    Html(format!(
        "<svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" aria-hidden=\"true\">{paths}</svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_offered() {
        let accepts = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            accepts_gzip(&headers)
        };
        assert!(accepts("gzip") && accepts("br, GZIP;q=0.5") && accepts("deflate,gzip"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts("identity") && !accepts(""));
    }

    #[test]
    fn nothing_escapes_its_quotes() {
        assert_eq!(escape(r#"<a b="c" d='e'>&"#), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
        assert_eq!(escape_query("/p/1?a=b&c=é"), "%2Fp%2F1%3Fa%3Db%26c%3D%C3%A9");
    }
}
