//! What the API keeps in memory of who may do what: it is used, and a change holds everywhere within a second.

use crate::client::Client;
use crate::server::{Project, Server, eventually, id_of};
use serde_json::json;
use std::time::{Duration, Instant};

/// The bound of the requirement, and what a loaded machine takes to answer.
const SOON: Duration = Duration::from_secs(5);

/// Asks until `client` is answered from memory, seen by a change that told nobody: the member is gone, and still let in.
async fn is_served_from_memory(server: &Server, client: &Client, path: &str) {
    let change = |statement: &'static str| async move {
        let mut conn = server.store.pool().acquire().await.expect("a connection");
        sqlx::query("SET session_replication_role = replica").execute(&mut *conn).await.expect("no triggers");
        sqlx::query(statement).execute(&mut *conn).await.expect("changed");
        sqlx::query("RESET session_replication_role").execute(&mut *conn).await.expect("triggers again");
    };
    let hide =
        "UPDATE project_members SET user_id = '00000000-0000-0000-0000-0000000000ff' WHERE role = 'operator'";
    let show = "UPDATE project_members SET user_id = (SELECT id FROM users WHERE name = 'ann') WHERE role = 'operator'";
    eventually("an answer from memory", async || {
        client.get(path).await.expect(200);
        change(hide).await;
        let is_kept = client.get(path).await.status == 200;
        change(show).await;
        is_kept
    })
    .await;
}

struct Place {
    one: Server,
    other: Server,
    project: Project,
    ann: Client,
    /// A list of the project, which asks for nobody's role by itself.
    path: String,
}

async fn place() -> Place {
    let one = Server::start().await;
    let project = Project::make(&one, "jane").await;
    let ann = one.log_in_as("ann").await;
    let id = id_of(&ann.get("/api/auth/me").await.expect(200).json()).parse().expect("an id");
    let role = shared::store::projects::ProjectRole::Operator;
    one.store.set_project_member(project.id.parse().expect("an id"), id, role).await.expect("a member");
    let other = one.another(|_| ()).await;
    let ann_there = Client { address: other.client.address, ..ann.clone() };
    let path = format!("/api/reconciliation/jobs?project_id={}", project.id);
    is_served_from_memory(&one, &ann_there, &path).await;
    Place { one, other, project, ann, path }
}

impl Place {
    fn there(&self, client: &Client) -> Client {
        Client { address: self.other.client.address, ..client.clone() }
    }
}

#[tokio::test]
async fn a_session_that_ends_in_one_process_ends_in_the_other_within_a_second() {
    let place = place().await;
    place.ann.post("/api/auth/logout", &json!(null)).await.expect(204);
    let ended_at = Instant::now();
    place.ann.get(&place.path).await.problem(401, "unauthenticated");
    let there = place.there(&place.ann);
    eventually("the end of the session", async || there.get(&place.path).await.status == 401).await;
    assert!(ended_at.elapsed() < SOON, "{:?}", ended_at.elapsed());
}

#[tokio::test]
async fn a_lost_membership_and_a_revoked_key_open_nothing_in_either_process() {
    let place = place().await;
    let of_project = format!("/api/projects/{}", place.project.id);
    let keys = format!("{of_project}/api-keys");
    let made =
        place.project.client.post(&keys, &json!({"name": "k", "role": "viewer"})).await.expect(201).json();
    let token = made["key"].as_str().map(str::to_owned);
    let machine = place.there(&Client { token, ..place.ann.clone() });
    machine.get(&place.path).await.expect(200);
    machine.get(&place.path).await.expect(200);
    let members = place.project.client.get(&format!("{of_project}/members")).await.expect(200).json();
    let ann = members["items"].as_array().expect("items").iter().find(|m| m["name"] == "ann").expect("ann");
    let ann_id = ann["user_id"].as_str().expect("an id");
    place.project.client.delete(&format!("{of_project}/members/{ann_id}")).await.expect(204);
    place.project.client.delete(&format!("{keys}/{}", id_of(&made))).await.expect(204);
    let changed_at = Instant::now();
    place.ann.get(&place.path).await.problem(404, "not_found");
    let there = place.there(&place.ann);
    eventually("no membership", async || there.get(&place.path).await.status == 404).await;
    eventually("no key", async || machine.get(&place.path).await.status == 401).await;
    assert!(changed_at.elapsed() < SOON, "{:?}", changed_at.elapsed());
    drop(place.one);
}
