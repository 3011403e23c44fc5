//! Projects and what their members may do.

use crate::server::{Project, Server, id_of, job_path};
use serde_json::json;
use shared::store::projects::ProjectRole;

#[tokio::test]
async fn projects_are_listed_newest_first_to_their_members() {
    let server = Server::start().await;
    let (jane, john) = (server.log_in_as("jane").await, server.log_in_as("john").await);
    let mut made = vec![];
    for name in ["one", "two", "three"] {
        let project = jane.post("/api/projects", &json!({"name": name})).await.expect(201).json();
        assert_eq!((&project["name"], &project["role"]), (&json!(name), &json!("admin")));
        made.insert(0, id_of(&project).to_owned());
    }
    john.post("/api/projects", &json!({"name": "his"})).await.expect(201);

    let mut seen = vec![];
    let mut next = Some("/api/projects?limit=2".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = jane.get(&path).await.expect(200).json();
        seen.extend(page["items"].as_array().expect("items").iter().map(|p| id_of(p).to_owned()));
        next = page["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((seen, pages), (made, 2));
}

#[tokio::test]
async fn platform_administrators_see_every_project() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let admin = server.log_in_as("root").await;
    assert_eq!(admin.get("/api/projects").await.expect(200).json()["items"], json!([]));
    sqlx::query("UPDATE users SET is_platform_admin = true WHERE name = 'root'")
        .execute(server.store.pool())
        .await
        .expect("promoted");
    // The token is the old one: roles are not in it.
    let page = admin.get("/api/projects").await.expect(200).json();
    assert_eq!(page["items"][0]["id"], project.id.as_str());
    assert_eq!(page["items"][0]["role"], "admin");
    let job = project.submit().await;
    admin.get(&job_path(job, "")).await.expect(200);
    admin.post(&job_path(job, "/cancel"), &json!({})).await.expect(202);
}

#[tokio::test]
async fn viewers_read_and_operators_write() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let job = project.submit().await;
    let john = server.register("john").await;
    let john_client = server.log_in("john").await;
    let join = async |role| {
        let id = project.id.parse().expect("an id");
        server.store.set_project_member(id, john, role).await.expect("joined");
    };
    let as_john = Project {
        client: john_client.clone(),
        id: project.id.clone(),
        left: project.left.clone(),
        right: project.right.clone(),
    };

    join(ProjectRole::Viewer).await;
    john_client.get(&format!("/api/files?project_id={}", project.id)).await.expect(200);
    john_client.get(&job_path(job, "")).await.expect(200);
    as_john.upload("bank.csv", "Id\n").await.problem(403, "forbidden");
    john_client.post("/api/reconciliation/jobs", &project.submission()).await.problem(403, "forbidden");
    john_client.post(&job_path(job, "/cancel"), &json!({})).await.problem(403, "forbidden");
    john_client.delete(&job_path(job, "")).await.problem(403, "forbidden");

    join(ProjectRole::Operator).await;
    as_john.upload("bank.csv", "Id\n").await.expect(201);
    as_john.submit().await;
    john_client.post(&job_path(job, "/cancel"), &json!({})).await.expect(202);
    john_client.delete(&job_path(job, "")).await.expect(204);
}
