//! Why a job is not running, and who would run it.

use crate::server::{Project, Server};
use serde_json::{Value, json};
use shared::ids::JobId;
use shared::job::JobKind;
use shared::store::workers::NewWorker;
use std::time::Duration;

async fn explained(project: &Project, id: JobId) -> Value {
    project.client.get(&format!("/api/jobs/{id}/explain")).await.expect(200).json()
}

fn words(explained: &Value) -> Vec<&str> {
    let reasons = explained["reasons"].as_array().expect("reasons");
    reasons.iter().map(|reason| reason["reason"].as_str().expect("a word")).collect()
}

fn worker() -> NewWorker {
    NewWorker { name: "w1".into(), version: "0.1", kinds: vec![JobKind::RECONCILIATION], slots: 2 }
}

#[tokio::test]
async fn each_reason_comes_with_a_sentence_and_what_it_is_about() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let root = server.log_in_as_admin().await;
    let id = project.submit().await;
    let seen = explained(&project, id).await;
    assert_eq!(words(&seen), ["no_worker", "waits_its_turn"]);
    assert_eq!(seen["reasons"][1]["turn"]["ahead_in_lane"], 0);
    assert!(seen["reasons"][0]["says"].as_str().expect("a sentence").contains("reconciliation"), "{seen}");

    server.store.heartbeat(&worker(), false).await.expect("told");
    root.post("/api/queues/reconciliation/pause", &json!({"reason": "the bank is down"})).await.expect(200);
    let seen = explained(&project, id).await;
    assert_eq!(words(&seen), ["queue_paused"]);
    let pause = &seen["reasons"][0];
    assert_eq!((&pause["by"], &pause["detail"]), (&json!("root@example.org"), &json!("the bank is down")));
    assert!(pause["since"].is_string());
    root.post("/api/queues/reconciliation/resume", &Value::Null).await.expect(204);

    // A stranger's job has the only place: it is counted, not named.
    let stranger = Project::make(&server, "john").await;
    let holds = stranger.submit().await;
    server.store.acquire(holds, "w1", Duration::from_secs(60)).await.expect("asked").expect("leased");
    root.put("/api/limits/kind/reconciliation", &json!({"jobs_max": 1})).await;
    let seen = explained(&project, id).await;
    let limit = &seen["reasons"][0]["limit"];
    assert_eq!(
        (&limit["scope"], &limit["running"], &limit["job_ids"]),
        (&json!("kind"), &json!(1), &json!([])),
        "{seen}"
    );
    let seen = root.get(&format!("/api/jobs/{id}/explain")).await.expect(200).json();
    assert_eq!(seen["reasons"][0]["limit"]["job_ids"], json!([holds.to_string()]));

    let seen = explained(&stranger, holds).await;
    assert_eq!((words(&seen), &seen["reasons"][0]["worker"]), (vec!["leased"], &json!("w1")));
    assert!(seen["reasons"][0]["until"].is_string() && seen["reasons"][0]["last_seen_at"].is_string());
    stranger.client.get(&format!("/api/jobs/{id}/explain")).await.problem(404, "not_found");
    stranger.client.get(&format!("/api/jobs/{}/explain", JobId::new())).await.problem(404, "not_found");
    project.client.post(&format!("/api/jobs/{id}/cancel"), &Value::Null).await.expect(202);
    let seen = explained(&project, id).await;
    assert_eq!((words(&seen), &seen["state"]), (vec!["cancelled"], &json!("cancelled")));
}

#[tokio::test]
async fn administrators_see_the_workers() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let root = server.log_in_as_admin().await;
    project.client.get("/api/workers").await.problem(404, "not_found");
    assert_eq!(root.get("/api/workers").await.expect(200).json(), json!({"items": []}));
    server.store.heartbeat(&worker(), false).await.expect("told");
    let id = project.submit().await;
    server.store.acquire(id, "w1", Duration::from_secs(60)).await.expect("asked").expect("leased");
    let seen = root.get("/api/workers").await.expect(200).json();
    let one = &seen["items"][0];
    let facts = ["name", "state", "slots", "running", "job_ids", "kinds"].map(|member| &one[member]);
    let expected =
        [json!("w1"), json!("live"), json!(2), json!(1), json!([id.to_string()]), json!(["reconciliation"])];
    assert_eq!(facts, expected.each_ref(), "{seen}");
    server.store.heartbeat(&worker(), true).await.expect("told");
    assert_eq!(root.get("/api/workers").await.expect(200).json()["items"][0]["state"], "draining");
}

#[tokio::test]
async fn a_worker_is_asked_to_drain_and_to_take_jobs_again() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let root = server.log_in_as_admin().await;
    let state = async || root.get("/api/workers").await.expect(200).json()["items"][0].clone();
    assert!(!server.store.heartbeat(&worker(), false).await.expect("told"));
    let id = project.submit().await;
    server.store.acquire(id, "w1", Duration::from_secs(60)).await.expect("asked").expect("leased");
    project.client.post("/api/workers/w1/drain", &Value::Null).await.problem(404, "not_found");
    root.post("/api/workers/nobody/drain", &Value::Null).await.problem(404, "not_found");
    root.post("/api/workers/w1/drain", &Value::Null).await.expect(204);
    let seen = state().await;
    assert!(seen["state"] == "draining" && seen["drain_asked_by"].is_string(), "{seen}");
    assert!(server.store.heartbeat(&worker(), true).await.expect("told"), "the worker hears of it");
    assert_eq!(state().await["state"], "draining", "it runs a job");
    sqlx::query(
        "UPDATE jobs SET state = 'available', lease_worker = NULL, lease_expires_at = NULL WHERE id = $1",
    )
    .bind(id)
    .execute(server.store.pool())
    .await
    .expect("given back");
    assert_eq!(state().await["state"], "drained");
    root.post("/api/workers/w1/resume", &Value::Null).await.expect(204);
    assert!(!server.store.heartbeat(&worker(), false).await.expect("told"));
    let seen = state().await;
    assert!(seen["state"] == "live" && seen["drain_asked_at"].is_null(), "{seen}");
}
