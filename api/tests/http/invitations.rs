//! Invitations, members, organisations, and the first administrator.

use crate::server::{PASSWORD, Project, Server, id_of};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::config::Registration;

fn registration(name: &str, token: Option<&Value>) -> Value {
    let mut body = json!({"email": format!("{name}@example.org"), "name": name, "password": PASSWORD});
    if let Some(token) = token {
        body["invitation"] = token.clone();
    }
    body
}

#[tokio::test]
async fn the_first_administrator_comes_by_a_one_time_token() {
    let server = Server::start_with(|config| config.auth.registration = Registration::Closed).await;
    let register = async |body: Value| server.client.post("/api/auth/register", &body).await;
    register(registration("root", None)).await.problem(403, "registration_closed");
    let token =
        api::accounts::invite_administrator(&server.store, server.clock.now()).await.expect("a token");
    let token = json!(token.expose_secret());
    register(registration("root", Some(&token))).await.expect(202);
    let root = server.log_in("root").await.get("/api/auth/me").await.expect(200).json();
    assert_eq!(root["is_platform_admin"], true);
    register(registration("second", Some(&token))).await.problem(403, "registration_closed");
    let late = api::accounts::invite_administrator(&server.store, server.clock.now()).await.expect("a token");
    server.clock.advance(TimeDelta::hours(25));
    register(registration("late", Some(&json!(late.expose_secret()))))
        .await
        .problem(403, "registration_closed");
}

#[tokio::test]
async fn by_invitation_only_those_who_have_one_register() {
    let server = Server::start_with(|config| config.auth.registration = Registration::InviteOnly).await;
    let hasher = api::PasswordHasher::new(api::PasswordCost::TRIVIAL).expect("a hasher");
    api::accounts::create(&server.store, &hasher, "jane@example.org", "jane", &PASSWORD.into(), false)
        .await
        .expect("made");
    let jane = server.log_in("jane").await;
    let project = jane.post("/api/projects", &json!({"name": "Books"})).await.expect(201).json();
    let path = format!("/api/projects/{}/invitations", id_of(&project));
    let invite = async |body: Value| jane.post(&path, &body).await.expect(201).json()["token"].clone();

    let register = async |body: Value| server.client.post("/api/auth/register", &body).await;
    register(registration("eve", None)).await.problem(403, "registration_closed");
    register(registration("eve", Some(&json!("cfi_guess")))).await.problem(403, "registration_closed");
    let for_john = invite(json!({"role": "operator", "email": "john@example.org"})).await;
    register(registration("eve", Some(&for_john))).await.problem(403, "registration_closed");
    register(registration("john", Some(&for_john))).await.expect(202);
    let john = server.log_in("john").await;
    assert_eq!(john.get("/api/projects").await.expect(200).json()["items"][0]["role"], "operator");
    register(registration("eve", Some(&for_john))).await.problem(403, "registration_closed");

    // Who has an account accepts, and keeps the greater role.
    let lesser = invite(json!({"role": "viewer"})).await;
    john.post("/api/auth/invitations/accept", &json!({"token": lesser})).await.expect(200);
    john.post("/api/auth/invitations/accept", &json!({"token": lesser})).await.mistakes();
    assert_eq!(john.get("/api/projects").await.expect(200).json()["items"][0]["role"], "operator");
    let listed = jane.get(&path).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
    let withdrawn = jane.post(&path, &json!({"role": "admin"})).await.expect(201).json();
    jane.delete(&format!("{path}/{}", id_of(&withdrawn))).await.expect(204);
    john.post("/api/auth/invitations/accept", &json!({"token": withdrawn["token"]})).await.mistakes();
}

#[tokio::test]
async fn a_project_keeps_an_administrator() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let john = server.log_in_as("john").await;
    let id = |client: crate::client::Client| async move {
        id_of(&client.get("/api/auth/me").await.json()).to_owned()
    };
    let (jane_id, john_id) = (id(project.client.clone()).await, id(john.clone()).await);
    let invitations = format!("/api/projects/{}/invitations", project.id);
    let token =
        project.client.post(&invitations, &json!({"role": "viewer"})).await.expect(201).json()["token"]
            .clone();
    john.post("/api/auth/invitations/accept", &json!({"token": token})).await.expect(200);
    let member = |user: &str| format!("/api/projects/{}/members/{user}", project.id);
    project.client.delete(&member(&jane_id)).await.problem(409, "conflict");
    project.client.put(&member(&jane_id), &json!({"role": "viewer"})).await.problem(409, "conflict");
    project.client.put(&member(&john_id), &json!({"role": "admin"})).await.expect(204);
    // Two administrators leave at once: one of them stays.
    let (jane_leaves, john_leaves) = (member(&jane_id), member(&john_id));
    let (one, other) = tokio::join!(project.client.delete(&jane_leaves), john.delete(&john_leaves));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    assert_eq!(server.count("SELECT count(*) FROM project_members WHERE role = 'admin'").await, 1);
}

#[tokio::test]
async fn projects_belong_to_organisations() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    let first = jane.post("/api/projects", &json!({"name": "One"})).await.expect(201).json();
    let second = jane.post("/api/projects", &json!({"name": "Two"})).await.expect(201).json();
    assert_eq!(first["organisation_id"], second["organisation_id"]);
    let other = jane.post("/api/organisations", &json!({"name": "Other"})).await.expect(201).json();
    let third = json!({"name": "Three", "organisation_id": other["id"]});
    let third = jane.post("/api/projects", &third).await.expect(201).json();
    assert_eq!(third["organisation_id"], other["id"]);
    assert_eq!(
        jane.get("/api/organisations").await.expect(200).json()["items"].as_array().map(Vec::len),
        Some(2)
    );
    let eve = server.log_in_as("eve").await;
    assert_eq!(eve.get("/api/organisations").await.expect(200).json()["items"], json!([]));
    let theirs = json!({"name": "Mine", "organisation_id": other["id"]});
    assert_eq!(eve.post("/api/projects", &theirs).await.mistakes()[0].0, "#/organisation_id");
}
