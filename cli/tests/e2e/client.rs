//! A user's side of HTTP: blocking, and with nothing that is not on the wire.

use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body, SendBody};

/// Clones share their connections.
#[derive(Clone)]
pub struct Client {
    url: String,
    authorization: Option<String>,
    agent: Agent,
}

/// Whatever was answered: problems are answers too.
#[derive(Debug)]
pub struct Answer {
    /// Method and path, for messages.
    asked: String,
    pub status: u16,
    content_type: String,
    body: Vec<u8>,
}

/// Something that a form carries.
pub enum Part<'a> {
    Text(&'a str, &'a str),
    File { name: &'a str, bytes: &'a [u8] },
}

impl Client {
    /// Nobody yet.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), authorization: None, agent: agent(PATIENCE) }
    }

    /// A new account of its own.
    pub fn registered(url: &str) -> Self {
        let client = Self::new(url);
        let email = format!("{}@example.com", uuid::Uuid::new_v4().simple());
        let password = "correct horse battery staple";
        let account = json!({ "email": email, "name": "Somebody", "password": password });
        client.post("/api/auth/register", &account).expect(202);
        client.logged_in(&email, password)
    }

    pub fn logged_in(mut self, email: &str, password: &str) -> Self {
        let token =
            self.post("/api/auth/login", &json!({ "email": email, "password": password })).expect(200);
        let token = token["access_token"].as_str().expect("a token");
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    /// The same user at another address, with less patience: an answer that takes longer is an error.
    pub fn at(&self, url: &str, patience: Duration) -> Self {
        Self { url: url.to_owned(), authorization: self.authorization.clone(), agent: agent(patience) }
    }

    pub fn wait_until_ready(&self) {
        until(&format!("{} is ready", self.url), || self.is_ready().then_some(()));
    }

    pub fn is_ready(&self) -> bool {
        self.try_send("GET", "/api/ready", None, Vec::new()).is_ok_and(|answer| answer.status == 200)
    }

    /// For requests that may fail: an error means that nobody knows whether it was done.
    pub fn try_post(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ureq::Error> {
        self.exchange("POST", path, Some("application/json"), body.to_string().into_bytes(), headers)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, Vec::new())
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, Vec::new())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some("application/json"), body.to_string().into_bytes())
    }

    pub fn post_form(&self, path: &str, parts: &[Part<'_>]) -> Answer {
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let mut body = Vec::new();
        for part in parts {
            body.extend(format!("--{boundary}\r\ncontent-disposition: form-data; ").into_bytes());
            match part {
                Part::Text(name, text) => body.extend(format!("name=\"{name}\"\r\n\r\n{text}").into_bytes()),
                Part::File { name, bytes } => {
                    let head = format!("name=\"file\"; filename=\"{name}\"\r\n");
                    body.extend(head.into_bytes());
                    body.extend_from_slice(b"content-type: application/octet-stream\r\n\r\n");
                    body.extend_from_slice(bytes);
                }
            }
            body.extend_from_slice(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        self.send("POST", path, Some(&format!("multipart/form-data; boundary={boundary}")), body)
    }

    /// The pages of a list from `path` on, until there is no next one.
    pub fn all_pages(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get(&path).expect(200);
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            next = page["next"].as_str().map(str::to_owned);
        }
        items
    }

    /// The events of a stream, until the server ends it.
    pub fn events(&self, path: &str) -> impl Iterator<Item = Event> {
        let response = self.call("GET", path, None, Vec::new(), &[]).expect("an event stream");
        assert_eq!(response.status(), 200, "GET {path}");
        let content_type = response.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(content_type.starts_with("text/event-stream"), "{content_type}");
        let mut lines = BufReader::new(response.into_body().into_reader()).lines();
        std::iter::from_fn(move || {
            let mut event = Event::default();
            loop {
                let line = lines.next()?.expect("a line of the stream");
                match line
                    .split_once(':')
                    .map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value)))
                {
                    // An empty line ends an event; a comment alone is none.
                    None if event.data.is_empty() => {}
                    None => return Some(event),
                    Some(("event", value)) => event.name = value.to_owned(),
                    Some(("id", value)) => event.id = value.to_owned(),
                    Some(("data", value)) => event.data.push_str(value),
                    Some(_) => {}
                }
            }
        })
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let sent = self.try_send(method, path, content_type, body);
        sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn try_send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, ureq::Error> {
        self.exchange(method, path, content_type, body, &[])
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, ureq::Error> {
        let mut response = self.call(method, path, content_type, body, headers)?;
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        Ok(Answer {
            asked: format!("{method} {path}"),
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default().to_owned(),
            body: response.body_mut().with_config().limit(1 << 30).read_to_vec()?,
        })
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, ureq::Error> {
        let method: Method = method.parse().expect("a method");
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match content_type {
            None => self.agent.run(request.body(SendBody::none()).expect("a request")),
            Some(content_type) => {
                let request = request.header("content-type", content_type);
                self.agent.run(request.body(body).expect("a request"))
            }
        }
    }
}

fn agent(patience: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(patience))
        .proxy(None)
        .allow_non_standard_methods(true)
        .max_idle_connections_per_host(4)
        .build();
    config.into()
}

/// A server-sent event.
#[derive(Debug, Default, Clone)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {:?}", self.data))
    }
}

impl Answer {
    /// The JSON of an answer that has this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem document of an answer that has this status.
    #[track_caller]
    pub fn expect_problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert!(
            self.content_type.starts_with("application/problem+json"),
            "{}: {}",
            self.asked,
            self.content_type
        );
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string() && problem["request_id"].is_string(), "{problem}");
        problem
    }

    /// The rows of a CSV answer, by column name.
    #[track_caller]
    pub fn expect_csv(&self) -> Vec<std::collections::BTreeMap<String, String>> {
        assert_eq!(self.status, 200, "{}: {}", self.asked, self.text());
        assert!(self.content_type.starts_with("text/csv"), "{}: {}", self.asked, self.content_type);
        let rows =
            csv::Reader::from_reader(self.body.as_slice()).into_deserialize().collect::<Result<_, _>>();
        rows.expect("rows as wide as the header")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.text()))
    }
}
