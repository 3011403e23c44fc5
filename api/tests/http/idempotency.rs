//! Requests that are sent again.

use crate::client::{Answer, Client, field, file, form, full};
use crate::server::{Project, Server, eventually, id_of};
use axum::http::Method;
use serde_json::{Value, json};
use shared::store::idempotency::{KeyedRequest, Seen, begin_request};

const JOBS: &str = "/api/reconciliation/jobs";

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    client.send(request, full(body.to_string())).await
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_and_one_job() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let first = post(&project.client, JOBS, "k-1", &project.submission()).await.expect(202);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    for key in ["k-1", "\"k-1\""] {
        let again = post(&project.client, JOBS, key, &project.submission()).await.expect(202);
        assert_eq!((again.text(), again.header("location")), (first.text(), first.header("location")));
        assert_eq!(again.header("content-type"), "application/json");
        assert_eq!(again.header("idempotent-replayed"), "true");
    }
    // Also when it could no longer be accepted today.
    sqlx::query("UPDATE data_sources SET mapping = '{}'")
        .execute(server.store.pool())
        .await
        .expect("updated");
    post(&project.client, JOBS, "k-1", &project.submission()).await.expect(202);
    post(&project.client, JOBS, "k-2", &project.submission()).await.problem(422, "invalid");
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 1);
    assert_eq!(server.count("SELECT count(*) FROM idempotency_keys").await, 1, "refusals are not kept");
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    post(&project.client, JOBS, "k", &project.submission()).await.expect(202);
    let mut other = project.submission();
    other["name"] = json!("another");
    post(&project.client, JOBS, "k", &other).await.problem(422, "idempotency_key_reused");
    post(&project.client, "/api/projects", "k", &json!({"name": "x"}))
        .await
        .problem(422, "idempotency_key_reused");
    // Another user's key is another key.
    let john = Project::make(&server, "john").await;
    post(&john.client, JOBS, "k", &john.submission()).await.expect(202);
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 2);
}

#[tokio::test]
async fn fifty_equal_requests_at_once_make_one_job() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let submission = project.submission();
    // As a client does that is told to come back.
    let until_done = || async {
        loop {
            let answer = post(&project.client, JOBS, "k", &submission).await;
            if answer.status != 409 {
                return answer.expect(202).json();
            }
            assert_eq!(answer.header("retry-after"), "1");
            answer.problem(409, "idempotency_key_in_flight");
        }
    };
    let answers = futures_util::future::join_all((0..50).map(|_| until_done())).await;
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 1);
    assert_eq!(server.count("SELECT count(*) FROM outbox").await, 1);
    assert_eq!(server.count("SELECT count(*) FROM reconciliations").await, 1);
}

#[tokio::test]
async fn a_request_under_way_is_told_apart_from_one_that_is_done() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let body = project.submission();
    let me = project.client.get("/api/auth/me").await.expect(200).json();
    let request = KeyedRequest {
        user_id: id_of(&me).parse().expect("an id"),
        key: "k".into(),
        fingerprint: KeyedRequest::fingerprint_of("POST", JOBS, body.to_string().as_bytes()),
    };
    let mut tx = server.store.begin().await.expect("begun");
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!(begin_request(&mut tx, &request, day).await.expect("asked"), Seen::New);
    post(&project.client, JOBS, "k", &body).await.problem(409, "idempotency_key_in_flight");
    // The first one failed: the next is the first.
    tx.rollback().await.expect("rolled back");
    post(&project.client, JOBS, "k", &body).await.expect(202);
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn expired_keys_are_forgotten() {
    let server = Server::start_with(|config| config.http.idempotency_key_hours = 1).await;
    let project = Project::make(&server, "jane").await;
    let first = post(&project.client, JOBS, "k", &project.submission()).await.expect(202).json();
    sqlx::query("UPDATE idempotency_keys SET created_at = created_at - interval '61 minutes'")
        .execute(server.store.pool())
        .await
        .expect("aged");
    let second = post(&project.client, JOBS, "k", &project.submission()).await.expect(202).json();
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn everything_that_is_created_may_be_sent_again() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let file = project.upload("a.csv", crate::server::BANK).await.expect(201).json();
    let source = json!({
        "project_id": project.id, "file_id": file["id"], "name": "a",
        "mapping": crate::server::mapping("description", "Text"),
    });
    let batch = json!({
        "project_id": project.id, "name": "b",
        "reconciliations": [{"left_source_id": project.left, "right_source_id": project.right}],
    });
    for (path, body) in
        [("/api/projects", json!({"name": "x"})), ("/api/data-sources", source), ("/api/batches", batch)]
    {
        let first = post(&project.client, path, path, &body).await;
        assert!(first.status == 201 || first.status == 202, "{path}: {}", first.text());
        let again = post(&project.client, path, path, &body).await.expect(first.status);
        assert_eq!(first.text(), again.text(), "{path}");
        post(&server.client, path, path, &body).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    for key in ["", "\"open", "a\"b", &"k".repeat(256)] {
        let mistakes = post(&project.client, JOBS, key, &project.submission()).await.mistakes();
        assert_eq!(mistakes, [("Idempotency-Key".to_owned(), "format".to_owned())], "{key}");
    }
    let huge = json!({"name": "x".repeat(2 << 20)});
    post(&project.client, JOBS, "k", &huge).await.problem(413, "too_large");
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 0);
}

async fn upload(project: &Project, key: &str, name: &str, content: &str) -> Answer {
    let parts = [field("project_id", &project.id), file("file", name, content)];
    let request = project.client.form("/api/files/upload").header("idempotency-key", key);
    project.client.send(request, full(form(&parts))).await
}

#[tokio::test]
async fn an_upload_that_is_sent_again_is_one_file() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let kept = server.objects_kept();
    let first = upload(&project, "u-1", "bank.csv", "a,b\n1,2\n").await.expect(201);
    let again = upload(&project, "u-1", "bank.csv", "a,b\n1,2\n").await.expect(201);
    assert_eq!(again.text(), first.text());
    assert_eq!(again.header("idempotent-replayed"), "true");
    for (name, content) in [("bank.csv", "a,b\n1,3\n"), ("book.csv", "a,b\n1,2\n")] {
        upload(&project, "u-1", name, content).await.problem(422, "idempotency_key_reused");
    }
    eventually("the bytes of repetitions are gone", async || server.objects_kept() == kept + 1).await;
    upload(&project, "u-2", "bank.csv", "a,b\n1,2\n").await.expect(201);
    assert_eq!(server.count("SELECT count(*) FROM files").await, 4);
    upload(&project, "\"open", "bank.csv", "x").await.problem(422, "invalid");
}

#[tokio::test]
async fn schedules_and_their_runs_are_made_once_per_key() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let path = format!("/api/projects/{}/schedules", project.id);
    let body = json!({
        "name": "Nightly", "kind": "reconciliation", "cron": "30 2 * * *", "time_zone": "Europe/Berlin",
        "args": {"left_source_id": project.left, "right_source_id": project.right},
    });
    let first = post(&project.client, &path, "s", &body).await.expect(201);
    let again = post(&project.client, &path, "s", &body).await.expect(201);
    assert_eq!((again.text(), again.header("location")), (first.text(), first.header("location")));
    assert_eq!(server.count("SELECT count(*) FROM schedules WHERE project_id IS NOT NULL").await, 1);

    let run = format!("/api/schedules/{}/run", id_of(&first.json()));
    let started = post(&project.client, &run, "r", &Value::Null).await.expect(202);
    assert_eq!(post(&project.client, &run, "r", &Value::Null).await.expect(202).text(), started.text());
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 1);
}
