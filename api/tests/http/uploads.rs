//! Uploads: whole and recorded, or not there at all.

use crate::client::{BOUNDARY, field, file};
use crate::server::{BANK, Project, Server, eventually, id_of};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_file_is_kept_byte_for_byte() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let file = project.upload("C:\\books\\März.csv", BANK).await.expect(201).json();
    let digest: String = Sha256::digest(BANK).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(file["name"], "März.csv");
    assert_eq!((&file["size_bytes"], &file["sha256"]), (&json!(BANK.len()), &json!(digest)));

    let row = server.store.file(id_of(&file).parse().expect("an id")).await.expect("asked").expect("a row");
    let kept = std::fs::read(server.objects.path().join(row.object_key.as_str())).expect("the object");
    assert_eq!(kept, BANK.as_bytes());

    let page =
        project.client.get(&format!("/api/files?project_id={}&limit=2", project.id)).await.expect(200).json();
    assert_eq!(page["items"][0], file, "newest first");
    let rest = project.client.get(page["next"].as_str().expect("a next page")).await.expect(200).json();
    assert_eq!((rest["items"].as_array().expect("items").len(), &rest["next"]), (1, &json!(null)));
}

#[tokio::test]
async fn a_large_file_streams_through() {
    const CHUNKS: usize = 320;
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let line = "x".repeat(64 * 1024);
    let mut parts = vec![field("project_id", &project.id), file("file", "large.csv", "")];
    let head = parts.pop().expect("the file's head");
    parts.push(head.trim_end_matches("\r\n").to_owned() + "\r\n\r\n");
    parts.extend(std::iter::repeat_n(line.clone(), CHUNKS));
    parts.push(format!("\r\n--{BOUNDARY}--\r\n"));
    let chunks = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part))));
    let file = project.client.post_form_stream("/api/files/upload", chunks).await.expect(201).json();
    assert_eq!(file["size_bytes"], line.len() * CHUNKS);
}

#[tokio::test]
async fn what_is_refused_leaves_no_row_and_no_object() {
    let server = Server::start_with(|config| config.http.upload_bytes_max = 1000).await;
    let project = Project::make(&server, "jane").await;
    let (rows, objects) = (server.count("SELECT count(*) FROM files").await, server.objects_kept());
    assert_eq!((rows, objects), (2, 2));

    project.upload("exact.csv", &"x".repeat(1000)).await.expect(201);
    let problem = project.upload("large.csv", &"x".repeat(1001)).await.problem(413, "too_large");
    assert!(problem["detail"].as_str().expect("text").contains("1000"), "{problem}");
    // Refused by its announced length, before anything is read.
    project.upload("huge.csv", &"x".repeat(1 << 20)).await.problem(413, "too_large");
    let mistake = |place: &str, code: &str| vec![(place.to_owned(), code.to_owned())];
    assert_eq!(project.upload("empty.csv", "").await.mistakes(), mistake("#/file", "empty"));
    assert_eq!(project.upload("", "x").await.mistakes(), mistake("#/file", "file_name"));

    let post = async |parts: &[String]| project.client.post_form("/api/files/upload", parts).await;
    let id = field("project_id", &project.id);
    let data = file("file", "a.csv", "x");
    assert_eq!(post(&[]).await.mistakes(), mistake("#/project_id", "missing"));
    assert_eq!(post(&[data.clone(), id.clone()]).await.mistakes(), mistake("#/project_id", "missing"));
    assert_eq!(
        post(&[field("project_id", "7"), data.clone()]).await.mistakes(),
        mistake("#/project_id", "format")
    );
    let long = field("project_id", &"7".repeat(5000));
    assert_eq!(post(&[long, data.clone()]).await.mistakes(), mistake("#/project_id", "format"));
    assert_eq!(post(std::slice::from_ref(&id)).await.mistakes(), mistake("#/file", "missing"));
    assert_eq!(post(&[id.clone(), field("x", "y")]).await.mistakes(), mistake("#/file", "missing"));
    let more = [id.clone(), data.clone(), field("x y", "z")];
    assert_eq!(post(&more).await.mistakes(), mistake("#/x%20y", "unknown_field"));
    project.client.post("/api/files/upload", &json!({})).await.problem(415, "unsupported_media_type");

    // A body that ends in the middle of the form.
    let cut = stream::iter([Ok(Bytes::from(id.clone() + &data))]);
    project.client.post_form_stream("/api/files/upload", cut).await.problem(400, "malformed_form");

    // Objects are deleted behind the answer.
    eventually("the objects are gone", async || server.objects_kept() == 3).await;
    assert_eq!(server.count("SELECT count(*) FROM files").await, 3);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut socket = TcpStream::connect(server.client.address).await.expect("connected");
    let body = field("project_id", &project.id) + &file("file", "cut.csv", &"x".repeat(100_000));
    let token = project.client.token.as_deref().expect("a token");
    let head = format!(
        "POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 10000000\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    );
    socket.write_all((head + &body).as_bytes()).await.expect("sent");
    eventually("the upload has begun", async || server.objects_kept() == 3).await;
    drop(socket);
    eventually("the partial object is gone", async || server.objects_kept() == 2).await;
    assert_eq!(server.count("SELECT count(*) FROM files").await, 2);
}

#[tokio::test]
async fn an_upload_that_stands_still_is_ended() {
    let server = Server::start_with(|config| config.http.request_timeout_s = 1).await;
    let project = Project::make(&server, "jane").await;
    let begun = field("project_id", &project.id) + &file("file", "slow.csv", "x");
    let silence = stream::pending::<Result<Bytes, io::Error>>();
    let chunks = stream::iter([Ok(Bytes::from(begun))]).chain(silence);
    project.client.post_form_stream("/api/files/upload", chunks).await.problem(503, "timed_out");
    eventually("the partial object is gone", async || server.objects_kept() == 2).await;
}

#[tokio::test]
async fn an_object_whose_row_cannot_be_written_is_deleted() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    sqlx::query("ALTER TABLE files ADD CONSTRAINT files_no_more CHECK (name <> 'refused.csv')")
        .execute(server.store.pool())
        .await
        .expect("a constraint");
    let problem = project.upload("refused.csv", "x").await.problem(500, "internal");
    assert!(!problem.to_string().contains("files_no_more"), "{problem}");
    eventually("the object is gone", async || server.objects_kept() == 2).await;
}
