//! Queues and limits, as administrators change them.

use crate::client::Client;
use crate::server::{Project, Server};
use serde_json::{Value, json};

async fn administrator(server: &Server) -> Client {
    let user = server.register("root").await;
    sqlx::query("UPDATE users SET is_platform_admin = true WHERE id = $1")
        .bind(user)
        .execute(server.store.pool())
        .await
        .expect("made an administrator");
    server.log_in("root").await
}

#[tokio::test]
async fn a_queue_is_paused_with_a_reason_and_resumed() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    project.submit().await;
    let root = administrator(&server).await;
    let pause = "/api/queues/reconciliation/pause";
    assert_eq!(
        root.post(pause, &json!({})).await.mistakes(),
        [("#/reason".to_owned(), "missing".to_owned())]
    );
    let paused = root.post(pause, &json!({"reason": "the bank is down"})).await.expect(200).json();
    assert_eq!(
        (&paused["reason"], &paused["paused_by"]),
        (&json!("the bank is down"), &json!("root@example.org"))
    );
    root.post("/api/queues/reconcilation/pause", &json!({"reason": "a typo"}))
        .await
        .problem(404, "not_found");
    project.submit().await;

    let queues = root.get("/api/queues").await.expect(200).json();
    let all = queues["items"].as_array().expect("queues");
    let queue = all.iter().find(|queue| queue["name"] == "reconciliation").expect("its queue");
    assert_eq!((&queue["name"], &queue["available"]), (&json!("reconciliation"), &json!(2)));
    assert_eq!(queue["pause"], paused);
    let scaling = server.client.get("/api/queues/reconciliation/scaling").await.expect(200).json();
    assert_eq!((&scaling["depth"], &scaling["desired_replicas"]), (&json!(0), &json!(0)), "{scaling}");

    root.post("/api/queues/reconciliation/resume", &Value::Null).await.expect(204);
    root.post("/api/queues/reconciliation/resume", &Value::Null).await.expect(204);
    let queues = root.get("/api/queues").await.expect(200).json();
    assert!(queues["items"].as_array().expect("queues").iter().all(|queue| queue["pause"].is_null()));
    let scaling = server.client.get("/api/queues/reconciliation/scaling?jobs_per_replica=1").await;
    assert_eq!(scaling.expect(200).json()["desired_replicas"], 2);
}

#[tokio::test]
async fn an_idle_or_unknown_queue_needs_nobody() {
    let server = Server::start().await;
    for queue in ["reconciliation", "nobody-knows-it"] {
        let scaling = server.client.get(&format!("/api/queues/{queue}/scaling")).await.expect(200).json();
        let zeros = json!({
            "queue": queue, "depth": 0, "available": 0, "due": 0, "running": 0, "oldest_age_s": 0.0,
            "is_paused": false, "desired_replicas": 0,
        });
        assert_eq!(scaling, zeros);
    }
    server.client.get("/api/queues/Mail!/scaling").await.problem(404, "not_found");
    let wrong = server.client.get("/api/queues/reconciliation/scaling?jobs_per_replica=0").await;
    assert_eq!(wrong.mistakes(), [("jobs_per_replica".to_owned(), "value".to_owned())]);
}

#[tokio::test]
async fn limits_are_set_listed_and_removed() {
    let server = Server::start().await;
    let root = administrator(&server).await;
    let set = async |path: &str, jobs_max: u32| root.put(path, &json!({"jobs_max": jobs_max})).await;
    set("/api/limits/kind/reconciliation", 4).await.expect(200);
    set("/api/limits/global/*", 100).await.expect(200);
    let limit = set("/api/limits/key/backup%3A*", 2).await.expect(200).json();
    assert_eq!((&limit["name"], &limit["updated_by"]), (&json!("backup:*"), &json!("root@example.org")));
    let listed = root.get("/api/limits").await.expect(200).json();
    let names: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|l| l["name"].clone()).collect();
    assert_eq!(names, ["*", "reconciliation", "*", "backup:*"]);

    root.delete("/api/limits/key/backup:*").await.expect(204);
    root.delete("/api/limits/key/backup:*").await.problem(404, "not_found");
    root.delete("/api/limits/shelf/a").await.problem(404, "not_found");
    assert_eq!(set("/api/limits/global/mail", 1).await.mistakes(), [("name".to_owned(), "value".to_owned())]);
    let nobody = format!("/api/limits/project/{}", shared::ids::ProjectId::new());
    for unknown in ["/api/limits/kind/reconciliaton", "/api/limits/kind/bakup*", nobody.as_str()] {
        let mistakes = set(unknown, 1).await.mistakes();
        assert_eq!(mistakes, [("name".to_owned(), "unknown".to_owned())], "{unknown}");
    }
    set("/api/limits/kind/back*", 1).await.expect(200);
    root.delete("/api/limits/kind/back*").await.expect(204);
    assert_eq!(
        set("/api/limits/kind/reconciliation", 100_001).await.mistakes(),
        [("#/jobs_max".to_owned(), "range".to_owned())]
    );
}
