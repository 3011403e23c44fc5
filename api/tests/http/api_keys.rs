//! Keys of machines.

use crate::client::Client;
use crate::server::{Project, Server};
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::store::projects::ProjectRole;

async fn make(project: &Project, role: &str, days: u32) -> (Client, Value) {
    let path = format!("/api/projects/{}/api-keys", project.id);
    let made =
        project.client.post(&path, &json!({"name": "nightly", "role": role, "days": days})).await.expect(201);
    let made = made.json();
    (Client { token: made["key"].as_str().map(str::to_owned), ..project.client.clone() }, made)
}

#[tokio::test]
async fn a_key_does_its_work_in_its_project_until_it_ends() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let other = project.client.post("/api/projects", &json!({"name": "Other"})).await.expect(201).json();
    let (machine, made) = make(&project, "operator", 1).await;
    let prefix = made["prefix"].as_str().expect("a prefix");
    assert!(made["key"].as_str().expect("a key").starts_with(prefix) && prefix.len() == 12);

    machine.post("/api/reconciliation/jobs", &project.submission()).await.expect(202);
    let projects = machine.get("/api/projects").await.expect(200).json();
    assert_eq!(projects["items"].as_array().expect("items").len(), 1, "only its own");
    let other = format!("/api/projects/{}", other["id"].as_str().expect("an id"));
    machine.get(&other).await.problem(404, "not_found");
    machine.get("/api/auth/me").await.problem(403, "forbidden");
    machine.post("/api/projects", &json!({"name": "x"})).await.problem(403, "forbidden");

    let path = format!("/api/projects/{}/api-keys", project.id);
    let listed = project.client.get(&path).await.expect(200).json();
    assert_eq!(listed["items"][0]["prefix"], prefix);
    assert!(listed["items"][0]["last_used_at"].is_string());
    assert!(!listed.to_string().contains(made["key"].as_str().expect("a key")));
    server.clock.advance(TimeDelta::hours(25));
    machine.get("/api/projects").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_and_no_key_does_more_than_its_person() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (machine, made) = make(&project, "operator", 30).await;
    let user: shared::ids::UserId =
        sqlx::query_scalar("SELECT id FROM users").fetch_one(server.store.pool()).await.expect("jane");
    let project_id = project.id.parse().expect("an id");
    server.store.set_project_member(project_id, user, ProjectRole::Viewer).await.expect("changed");
    machine.post("/api/reconciliation/jobs", &project.submission()).await.problem(403, "forbidden");
    let show = format!("/api/projects/{}", project.id);
    machine.get(&show).await.expect(200);
    server.store.set_project_member(project_id, user, ProjectRole::Admin).await.expect("changed");
    let path = format!("/api/projects/{}/api-keys/{}", project.id, made["id"].as_str().expect("an id"));
    project.client.delete(&path).await.expect(204);
    machine.get(&show).await.problem(401, "unauthenticated");
    project.client.delete(&path).await.problem(404, "not_found");

    let (machine, _) = make(&project, "viewer", 30).await;
    sqlx::query("DELETE FROM project_members").execute(server.store.pool()).await.expect("nobody is left");
    machine.get(&show).await.problem(404, "not_found");
}

#[tokio::test]
async fn guessed_and_damaged_keys_are_refused() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (machine, _) = make(&project, "viewer", 30).await;
    let key = machine.token.clone().expect("a key");
    for bad in [
        "cfk_".into(),
        format!("{key}x"),
        key[..key.len() - 1].to_owned(),
        key.to_uppercase(),
        key.replace("cfk_", "cfr_"),
        format!("cfk_{}", "A".repeat(43)),
        format!("cfk_{}", "A".repeat(4000)),
    ] {
        let client = Client { token: Some(bad), ..machine.clone() };
        client.get("/api/projects").await.problem(401, "unauthenticated");
    }
    let path = format!("/api/projects/{}/api-keys", project.id);
    let mistakes = project.client.post(&path, &json!({"name": "x", "role": "admin"})).await.mistakes();
    assert_eq!(mistakes[0].0, "#/role");
}
