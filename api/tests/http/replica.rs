//! Lists and results from a real streaming replica, and never older than what the reader has written.

use crate::client::Client;
use crate::review::write_books;
use crate::server::{Project, Server, eventually, id_of};
use serde_json::Value;
use shared::store::projects::ProjectRole;
use shared::store::{PoolLimits, Store};
use shared::testing::{PrivatePostgres, test_dir};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// Reads that may go to the replica, by who answered them. Only this test has a replica.
async fn reads(server: &Server, by: &str) -> u64 {
    let text = server.client.get("/api/metrics").await.expect(200).text();
    let name = format!("counterfoil_replica_reads_total{{by=\"{by}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

async fn ids(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).await.expect(200).json();
    page["items"].as_array().expect("items").iter().map(|item: &Value| id_of(item).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_from_the_replica_unless_it_lacks_what_the_reader_has_written() {
    let dir = test_dir("replica");
    let (primary, mut replica) = tokio::task::spawn_blocking(move || {
        let primary = PrivatePostgres::start(dir.join("primary"));
        let replica = primary.replica(dir.join("replica"));
        (primary, replica)
    })
    .await
    .expect("two servers");
    let limits = PoolLimits { connections_max: 10, ..PoolLimits::default() };
    let store = Store::new(primary.url().parse().expect("a URL"), &limits);
    store.migrate().await.expect("migrated");
    let server = Server::start_with_replica(store, replica.url()).await;
    let project = Project::make(&server, "jane").await;
    let ann = server.log_in_as("ann").await;
    let ann_id = id_of(&ann.get("/api/auth/me").await.expect(200).json()).parse().expect("an id");
    let project_id = project.id.parse().expect("an id");
    server.store.set_project_member(project_id, ann_id, ProjectRole::Viewer).await.expect("a member");
    let first = project.submit().await;
    write_books(&server, first).await;

    let lists =
        ["/api/reconciliation/jobs", "/api/jobs"].map(|path| format!("{path}?project_id={}", project.id));
    let results = format!("/api/reconciliation/jobs/{first}/results");
    for path in lists.iter().chain([&results]) {
        eventually("an answer of the replica", async || {
            let before = reads(&server, "replica").await;
            project.client.get(path).await.expect(200);
            reads(&server, "replica").await > before
        })
        .await;
    }
    let page = project.client.get(&results).await.expect(200).json();
    assert_eq!(page["items"].as_array().expect("items").len(), 2);

    // The replica stands still; jane writes.
    let mut there = PgConnection::connect(&replica.url()).await.expect("the replica");
    sqlx::query("SELECT pg_wal_replay_pause()").execute(&mut there).await.expect("asked");
    loop {
        let state: String = sqlx::query_scalar("SELECT pg_get_wal_replay_pause_state()")
            .fetch_one(&mut there)
            .await
            .expect("a state");
        if state == "paused" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = project.submit().await;
    for path in &lists {
        let before = reads(&server, "primary").await;
        assert!(ids(&project.client, path).await.contains(&second.to_string()), "{path}: her own change");
        assert!(reads(&server, "primary").await > before);
        // Who has written nothing may be a moment behind: which shows that it is the replica that answers.
        assert_eq!(ids(&ann, path).await, [first.to_string()], "{path}");
    }
    // Strangers are strangers there, too.
    let eve = server.log_in_as("eve").await;
    eve.get(&lists[0]).await.problem(404, "not_found");

    // It goes on, and catches up.
    sqlx::query("SELECT pg_wal_replay_resume()").execute(&mut there).await.expect("resumed");
    eventually("jane's own change from the replica", async || {
        let before = reads(&server, "replica").await;
        let found = ids(&project.client, &lists[0]).await;
        assert!(found.contains(&second.to_string()));
        reads(&server, "replica").await > before
    })
    .await;
    // It dies: the primary answers all, once that has been noticed.
    there.close().await.expect("left");
    let replica = tokio::task::spawn_blocking(move || {
        replica.kill_9();
        replica
    });
    let mut replica = replica.await.expect("killed");
    eventually("answers without the replica", async || {
        let before = reads(&server, "primary").await;
        let answer = project.client.get(&lists[0]).await;
        answer.status == 200 && reads(&server, "primary").await > before
    })
    .await;
    let again = tokio::task::spawn_blocking(move || {
        replica.start_again();
        replica
    });
    let _replica = again.await.expect("started");
    eventually("answers of the replica again", async || {
        let before = reads(&server, "replica").await;
        project.client.get(&lists[0]).await.status == 200 && reads(&server, "replica").await > before
    })
    .await;
}
