//! Every class of error is a problem document, and every answer has its headers.

use crate::client::{empty, full};
use crate::server::{PASSWORD, Server};
use axum::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn malformed_bodies_are_told_apart() {
    let server = Server::start().await;
    let client = &server.client;
    let problem =
        client.post_text("/api/auth/login", "{\"email\": \n nope}").await.problem(400, "malformed_json");
    assert!(problem["detail"].as_str().expect("text").contains("line 2"), "{problem}");
    for body in ["", "{", "[1,", "\u{feff}{}", "{\"a\":1}x"] {
        client.post_text("/api/auth/login", body).await.problem(400, "malformed_json");
    }
    client.post_text("/api/auth/login", &"[".repeat(100_000)).await.problem(400, "malformed_json");
    for (body, place) in [("null", "#"), ("[]", "#"), ("7", "#")] {
        let mistakes = client.post_text("/api/auth/login", body).await.mistakes();
        assert_eq!(mistakes, [(place.to_owned(), "type".to_owned())]);
    }
}

#[tokio::test]
async fn content_types_and_sizes_are_checked() {
    let server = Server::start().await;
    let client = &server.client;
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        let mut request = client.request(Method::POST, "/api/auth/login");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        client.send(request, full("{}".into())).await.problem(415, "unsupported_media_type");
    }
    let large = json!({"email": "x".repeat(1 << 20)});
    client.post("/api/auth/login", &large).await.problem(413, "too_large");
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let server = Server::start().await;
    let problem = server.client.get("/api/nothing?q=1").await.problem(404, "unknown_route");
    assert_eq!(problem["instance"], "/api/nothing");
    assert_eq!(problem["errors"], json!([]));
    server.client.get("/nothing/here").await.problem(404, "unknown_route");
    let answer = server.client.delete("/api/auth/login").await;
    assert_eq!(answer.header("allow"), "POST");
    answer.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_kept_by_no_cache() {
    let server = Server::start().await;
    for path in ["/api/live", "/api/health", "/api/openapi.json", "/api/nothing", "/api/auth/me"] {
        let answer = server.client.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{path}");
    }
    let request = server.client.request(Method::GET, "/api/live").header("x-request-id", "bad id\"");
    let answer = server.client.send(request, empty()).await;
    assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_harms_nobody() {
    let server = Server::start().await;
    for text in [
        "GET /api/live HTTP/1.1\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
        "\0\0\0\0\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(server.client.address).await.expect("connected");
        socket.write_all(text.as_bytes()).await.expect("sent");
        socket.shutdown().await.expect("shut");
        let mut rest = vec![];
        let _ = socket.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 5"), "{text:?}: {}", String::from_utf8_lossy(&rest));
    }
    server.client.get("/api/live").await.expect(204);
}

#[tokio::test]
async fn a_broken_database_shows_nothing_of_itself() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    sqlx::query("ALTER TABLE users RENAME TO people").execute(server.store.pool()).await.expect("renamed");
    let body = json!({"email": "jane@example.org", "password": PASSWORD});
    for answer in [server.client.post("/api/auth/login", &body).await, jane.get("/api/projects").await] {
        let problem = answer.problem(500, "internal");
        assert!(!problem.to_string().contains("users"), "{problem}");
    }
}
