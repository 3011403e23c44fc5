//! What API processes keep of people, projects and statistics: it is used, and never older than a change.

use crate::client::Client;
use crate::outcome::{Outcome, exception};
use crate::server::{Project, Server, eventually};
use serde_json::{Value, json};
use shared::store::projects::ProjectRole;
use tokio::net::TcpListener;

async fn asked(client: &Client, path: &str) -> Value {
    client.get(path).await.expect(200).json()
}

/// Changes something; `told`: as everybody does, otherwise without a word to anybody.
async fn rename(server: &Server, table: &'static str, name: &str, told: bool) {
    let mut conn = server.store.pool().acquire().await.expect("a connection");
    if !told {
        sqlx::query("SET session_replication_role = replica").execute(&mut *conn).await.expect("no triggers");
    }
    let statement = format!("UPDATE {table} SET name = $1");
    let renamed = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(name).execute(&mut *conn).await;
    sqlx::query("RESET session_replication_role").execute(&mut *conn).await.expect("triggers again");
    assert_eq!(renamed.expect("changed").rows_affected(), 1);
}

/// Asks until an answer is the one before a change that nobody was told of, so that it was kept.
async fn is_kept(server: &Server, client: &Client, table: &'static str, path: &str) {
    eventually(path, async || {
        rename(server, table, "as told", true).await;
        eventually("the change", async || asked(client, path).await["name"] == "as told").await;
        rename(server, table, "not told", false).await;
        asked(client, path).await["name"] == "as told"
    })
    .await;
}

#[tokio::test]
async fn people_and_projects_are_kept_until_they_change_in_any_process() {
    let one = Server::start().await;
    let jane = one.log_in_as("jane").await;
    let made = jane.post("/api/projects", &json!({"name": "Books"})).await.expect(201).json();
    let of_project = format!("/api/projects/{}", made["id"].as_str().expect("an id"));
    let other = one.another(|_| ()).await;
    let there = Client { address: other.client.address, ..jane.clone() };
    for (table, path) in [("users", "/api/auth/me"), ("projects", of_project.as_str())] {
        for client in [&jane, &there] {
            is_kept(&one, client, table, path).await;
        }
        rename(&one, table, "seen by both", true).await;
        for client in [&jane, &there] {
            eventually("the change", async || asked(client, path).await["name"] == "seen by both").await;
        }
    }
    // What somebody may do is asked for each time, and never kept with it.
    one.promote("seen by both").await;
    assert_eq!(asked(&jane, "/api/auth/me").await["is_platform_admin"], true);
    let eve = one.log_in_as("eve").await;
    eve.get(&of_project).await.problem(404, "not_found");
    let id = asked(&eve, "/api/auth/me").await["id"].as_str().expect("an id").parse().expect("an id");
    let project_id = made["id"].as_str().expect("an id").parse().expect("an id");
    one.store.set_project_member(project_id, id, ProjectRole::Viewer).await.expect("a member");
    eventually("a member", async || eve.get(&of_project).await.status == 200).await;
    assert_eq!(asked(&eve, &of_project).await["role"], "viewer");
    assert_eq!(asked(&jane, &of_project).await["role"], "admin");
}

#[tokio::test]
async fn statistics_are_right_in_every_process_the_moment_a_run_has_completed() {
    let one = Server::start().await;
    let project = Project::make(&one, "jane").await;
    let other = one.another(|_| ()).await;
    let there = Client { address: other.client.address, ..project.client.clone() };
    let path = format!("/api/analytics/dashboard?project_id={}", project.id);
    let mut runs = vec![];
    for completed in 1..=5 {
        // Two files that no other run had: each counts.
        let mut submission = project.submission();
        let bank = format!("Id,Booked,Amount,Text\nB{completed},2026-01-05,10.00,x\n");
        let mapping = crate::server::mapping("description", "Text");
        submission["left_source_id"] = json!(project.add_source("bank.csv", &bank, mapping).await);
        let made = project.client.post("/api/reconciliation/jobs", &submission).await.expect(202).json();
        for client in [&project.client, &there] {
            assert_eq!(asked(client, &path).await["exceptions"], completed - 1);
        }
        let id = made["id"].as_str().expect("an id").parse().expect("an id");
        let exceptions = vec![exception(0, "missing_right")];
        Outcome { exceptions, ..Outcome::default() }.write(&one.store, id).await;
        for client in [&there, &project.client] {
            let seen = asked(client, &path).await;
            assert_eq!(
                (&seen["exceptions"], &seen["jobs_by_state"]["completed"]),
                (&json!(completed), &json!(completed))
            );
        }
        runs.push(id);
    }
    for (left, id) in (0..5).rev().zip(runs) {
        let run = crate::server::job_path(id, "");
        project.client.delete(&run).await.expect(204);
        for client in [&project.client, &there] {
            assert_eq!(asked(client, &path).await["exceptions"], left);
        }
    }
}

#[tokio::test]
async fn what_one_process_has_read_another_finds_in_redis_unless_it_has_changed() {
    let Some(url) = crate::rate_limits::redis_url() else { return };
    let one = Server::start_with(|config| config.redis.url = Some(url.clone().into())).await;
    let jane = one.log_in_as("jane").await;
    let made = jane.post("/api/projects", &json!({"name": "Books"})).await.expect(201).json();
    let path = format!("/api/projects/{}", made["id"].as_str().expect("an id"));
    let other = one.another(|_| ()).await;
    let there = Client { address: other.client.address, ..jane.clone() };
    // Work elsewhere in the same PostgreSQL may hold back what is known to be seen by all: then once more.
    eventually("a value from the other process", async || {
        rename(&one, "projects", "told", true).await;
        eventually("the change", async || asked(&jane, &path).await["name"] == "told").await;
        rename(&one, "projects", "not told", false).await;
        // The other one has heard of the change and forgotten what it had; the database says something else by now.
        asked(&there, &path).await["name"] == "told"
    })
    .await;
    rename(&one, "projects", "final", true).await;
    for client in [&jane, &there] {
        eventually("the change", async || asked(client, &path).await["name"] == "final").await;
    }
    // One that has heard of nothing believes nothing that was written before.
    rename(&one, "projects", "later", false).await;
    let third = one.another(|_| ()).await;
    let newcomer = Client { address: third.client.address, ..jane };
    assert_eq!(asked(&newcomer, &path).await["name"], "later");
}

#[tokio::test]
async fn without_redis_everything_is_answered() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("redis://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let server = Server::start_with(|config| config.redis.url = Some(url.into())).await;
    let project = Project::make(&server, "jane").await;
    let of_project = format!("/api/projects/{}", project.id);
    let dashboard = format!("/api/analytics/dashboard?project_id={}", project.id);
    for path in ["/api/auth/me", of_project.as_str(), dashboard.as_str()] {
        for _ in 0..3 {
            project.client.get(path).await.expect(200);
        }
    }
    is_kept(&server, &project.client, "projects", &of_project).await;
}
