//! A browser without a script: a cookie, forms with the token of their page.

use crate::client::{Answer, Body, Client, empty, full};
use crate::server::{PASSWORD, Server};
use axum::http::{Method, header};

pub struct Browser {
    client: Client,
    pub cookie: String,
}

impl Browser {
    pub fn new(server: &Server) -> Self {
        Self { client: server.client.clone(), cookie: String::new() }
    }

    /// Through the page of logging in.
    pub async fn log_in(server: &Server, name: &str) -> Self {
        let mut browser = Self::new(server);
        let form = [("email", format!("{name}@example.org")), ("password", PASSWORD.to_owned())];
        let answer = browser.post_fields("/login", &form).await.expect(303);
        browser.take_cookie(&answer);
        browser
    }

    pub fn take_cookie(&mut self, answer: &Answer) {
        let (cookie, _) = answer.header("set-cookie").split_once(';').expect("attributes");
        self.cookie = cookie.to_owned();
    }

    pub fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        self.client
            .request(method, path)
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header("sec-fetch-site", "same-origin")
            .header(header::COOKIE, &self.cookie)
    }

    pub async fn send(&self, request: axum::http::request::Builder, body: Body) -> Answer {
        self.client.send(request, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path), empty()).await
    }

    /// A page that is there, looked over: see [`check_page`].
    #[track_caller]
    pub fn page(&self, path: &str) -> impl Future<Output = String> {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.get(path).await;
            assert_eq!(answer.status, 200, "{path}, asked at {at}: {}", answer.text());
            let page = answer.text();
            check_page(path, &answer, &page);
            page
        }
    }

    /// Without a token.
    pub async fn post_fields(&self, path: &str, fields: &[(&str, String)]) -> Answer {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, full(body.join("&"))).await
    }

    /// As the form of `page` sends it.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("form_token", form_token(page))];
        all.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.post_fields(path, &all).await
    }

    /// Fields and files, see [`crate::client::field`] and [`crate::client::file`].
    pub async fn submit_files(&self, path: &str, parts: &[String]) -> Answer {
        let content_type = format!("multipart/form-data; boundary={}", crate::client::BOUNDARY);
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, content_type);
        self.send(request, full(crate::client::form(parts))).await
    }
}

pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub fn form_token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").expect("a form with a token");
    rest.split('"').next().expect("a value").to_owned()
}

/// Every form control's name and value as a browser would send them, of the first form that posts to `action`.
pub fn values(page: &str, action: &str) -> Vec<(String, String)> {
    let (_, form) =
        page.split_once(&format!("action=\"{action}\"")).unwrap_or_else(|| panic!("no form for {action}"));
    let form = form.split("</form>").next().expect("an end");
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(plain(rest.split('"').next()?))
    };
    let mut found = vec![];
    for part in form.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let Some(name) = attribute(tag, "name") else {
            continue;
        };
        if tag.starts_with("input") {
            let is_sent = !(tag.contains("type=\"radio\"") || tag.contains("type=\"checkbox\""))
                || tag.contains(" checked");
            if is_sent && !tag.contains("type=\"file\"") {
                found.push((name, attribute(tag, "value").unwrap_or_default()));
            }
        } else if tag.starts_with("select") {
            let (_, rest) = form.split_once(&format!("<{tag}>")).expect("this select");
            let options = rest.split("</select>").next().expect("an end");
            let chosen = options.split("<option").skip(1).find(|option| option.contains(" selected"));
            let chosen = chosen.or_else(|| options.split("<option").nth(1)).unwrap_or_default();
            found.push((name, attribute(chosen, "value").unwrap_or_default()));
        } else if tag.starts_with("textarea") {
            found.push((name, plain(part.split('>').nth(1).unwrap_or_default())));
        }
    }
    found
}

fn plain(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

/// What holds for every page: the policy is strict, and the page gets along with it.
pub fn check_page(path: &str, answer: &Answer, page: &str) {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    for tag in page.split('<').skip(1).filter_map(|part| part.split('>').next()) {
        assert!(
            !tag.contains(" style=")
                && !tag.split(' ').any(|part| part.starts_with("on") && part.contains('=')),
            "{path}: <{tag}>"
        );
        assert!(!tag.starts_with("script") || tag.contains(" src="), "{path}: <{tag}>");
        assert!(!tag.starts_with("style"), "{path}: <{tag}>");
        let is_post = tag.starts_with("form") && tag.contains("method=\"post\"");
        assert!(
            !is_post
                || page.contains("form_token")
                || path.starts_with("/login")
                || path.starts_with("/register")
                || path.starts_with("/reset-password"),
            "{path}: <{tag}>"
        );
    }
    if !page.starts_with("<!doctype html>") {
        return;
    }
    assert!(page.contains("<title>") && page.contains("<h1") && page.contains("lang=\"en\""), "{path}");
}
