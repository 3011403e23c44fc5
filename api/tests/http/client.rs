//! A small HTTP client: one connection per request, everything in time or a panic.

use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use futures_util::Stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing these tests ask for takes a tenth of this.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Body = BoxBody<Bytes, io::Error>;

/// Asks one server, with or without a token.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub token: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path), empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path), empty()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::PUT, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, full(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::PATCH, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, full(body.to_string())).await
    }

    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request, full(body.to_owned())).await
    }

    /// A form of fields and files; see [`field`] and [`file`].
    pub async fn post_form(&self, path: &str, parts: &[String]) -> Answer {
        self.send(self.form(path), full(form(parts))).await
    }

    /// As [`Self::post_form`], with a body that comes in chunks of unknown number.
    pub async fn post_form_stream(
        &self,
        path: &str,
        chunks: impl Stream<Item = Result<Bytes, io::Error>> + Send + Sync + 'static,
    ) -> Answer {
        use futures_util::StreamExt;
        let body = StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data)));
        self.send(self.form(path), BoxBody::new(body)).await
    }

    pub fn form(&self, path: &str) -> axum::http::request::Builder {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(Method::POST, path).header(header::CONTENT_TYPE, content_type)
    }

    pub fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    pub async fn send(&self, request: axum::http::request::Builder, body: Body) -> Answer {
        let answer = async {
            let response = self.open(request, body).await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("the whole body").to_bytes();
            Answer { status: parts.status.as_u16(), headers: parts.headers, body }
        };
        timeout(PATIENCE, answer).await.expect("an answer in time")
    }

    /// Gives the answer before its body has come.
    pub async fn open(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> axum::http::Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        let request = request.body(body).expect("a request");
        timeout(PATIENCE, sender.send_request(request)).await.expect("headers in time").expect("an answer")
    }

    pub async fn events(&self, path: &str, last_event_id: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        self.events_of(request).await
    }

    /// The stream that this request is answered with.
    pub async fn events_of(&self, request: axum::http::request::Builder) -> Events {
        let response = self.open(request, empty()).await;
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let content_type = content_type.map(|value| value.to_str().expect("ASCII").to_owned());
        Events { status, content_type, body: response.into_body(), buffer: String::new() }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("ASCII")
    }

    /// The answer, when it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// The problem document, when it is one of this kind.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem.header("content-type"), "application/problem+json");
        let json = problem.json();
        assert_eq!(json["type"], format!("urn:counterfoil:problem:{code}"), "{json}");
        assert_eq!(json["status"], status);
        assert_eq!(json["request_id"], problem.header("x-request-id"));
        json
    }

    /// `(place, code)` of every mistake of a 422, sorted.
    #[track_caller]
    pub fn mistakes(self) -> Vec<(String, String)> {
        let problem = self.problem(422, "invalid");
        let place = |mistake: &Value| {
            let place = mistake["pointer"].as_str().or(mistake["parameter"].as_str()).unwrap_or_default();
            (place.to_owned(), mistake["code"].as_str().expect("a code").to_owned())
        };
        let mut mistakes: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(place).collect();
        mistakes.sort();
        mistakes
    }
}

/// A stream of server-sent events.
pub struct Events {
    pub status: u16,
    pub content_type: Option<String>,
    body: Incoming,
    buffer: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SentEvent {
    pub event: String,
    pub id: String,
    pub data: Value,
}

impl Events {
    /// The next event; `None` at the end of the stream. Comments are passed over.
    pub async fn next(&mut self) -> Option<SentEvent> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&block) {
                    return Some(event);
                }
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("an event in time")?;
            let data = frame.expect("an unbroken stream").into_data().expect("data");
            self.buffer.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }
}

fn parse(block: &str) -> Option<SentEvent> {
    let value = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some(SentEvent {
        event: value("event")?.to_owned(),
        id: value("id").expect("every event has an id").to_owned(),
        data: serde_json::from_str(value("data").expect("every event has data")).expect("JSON"),
    })
}

pub const BOUNDARY: &str = "a-boundary-of-these-tests";

pub fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

pub fn file(name: &str, file_name: &str, content: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n\
         Content-Type: text/csv\r\n\r\n{content}\r\n"
    )
}

pub fn form(parts: &[String]) -> String {
    format!("{}--{BOUNDARY}--\r\n", parts.concat())
}

pub fn empty() -> Body {
    full(String::new())
}

pub fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}
