//! What still answers while something that the API needs is away, and that everything does once it is back: the table in
//! docs/operating.md.

use crate::client::{Answer, Client};
use crate::pages::browser::Browser;
use crate::server::{PASSWORD, Project, Server, eventually, queue};
use serde_json::json;
use shared::job::JobKind;
use shared::queue::Queue;
use shared::testing::tcp_proxy::Weather;
use tokio::net::TcpListener;

/// Every group of routes that needs the database, asked once.
async fn ask_all(server: &Server, project: &Project, job: &str) -> Vec<(&'static str, Answer)> {
    let jane = &project.client;
    let login = json!({"email": "jane@example.org", "password": PASSWORD});
    vec![
        ("a login", server.client.post("/api/auth/login", &login).await),
        ("a list", jane.get(&format!("/api/reconciliation/jobs?project_id={}", project.id)).await),
        ("a result", jane.get(&format!("/api/reconciliation/jobs/{job}")).await),
        ("a job", jane.post("/api/reconciliation/jobs", &project.submission()).await),
        ("an upload", project.upload("x.csv", "Id\n1\n").await),
        ("a change", jane.post("/api/projects", &json!({"name": "More"})).await),
    ]
}

#[tokio::test]
async fn without_the_database_requests_are_told_when_to_come_again_and_answered_once_it_is_back() {
    let (server, proxy) = Server::start_behind_a_proxy(queue()).await;
    let project = Project::make(&server, "jane").await;
    let job = project.submit().await.to_string();
    let browser = Browser::log_in(&server, "jane").await;
    proxy.set_weather(Weather::Refusing);
    proxy.cut();
    for (what, answer) in ask_all(&server, &project, &job).await {
        assert_eq!(answer.status, 503, "{what}: {}", answer.text());
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((1..=5).contains(&wait), "{what}: {wait}");
        answer.problem(503, "unavailable");
    }
    // By now the circuit is open: nobody waits for the database any more.
    let refused = project.client.get("/api/projects").await.problem(503, "unavailable");
    assert_eq!(refused["detail"], "The database is away, and is not asked for now");
    let page = browser.get(&format!("/p/{}", project.id)).await.expect(503);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    server.client.get("/readyz").await.expect(503);
    // What needs no database.
    for (path, status) in [
        ("/livez", 204),
        ("/api/openapi.json", 200),
        ("/.well-known/jwks.json", 200),
        ("/api/auth/provider", 200),
        ("/api/metrics", 200),
    ] {
        server.client.get(path).await.expect(status);
    }
    Browser::new(&server).get("/login").await.expect(200);
    let jobs = "SELECT count(*) FROM jobs";
    proxy.set_weather(Weather::Fine);
    eventually("a list again", async || project.client.get("/api/projects").await.status == 200).await;
    assert_eq!(server.count(jobs).await, 1, "what was refused was not done");
    // Connections that died in the pool are found out one by one.
    eventually("all of it again", async || {
        ask_all(&server, &project, &job).await.iter().all(|(_, answer)| answer.status < 300)
    })
    .await;
}

/// Nobody listens there.
async fn broker_that_is_away() -> Queue {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let url = format!("amqp://{free}/%2f").into();
    Queue::amqp(&url, "degraded", &[JobKind::RECONCILIATION.queue()]).expect("a URL")
}

#[tokio::test]
async fn without_the_broker_everything_is_accepted_and_kept() {
    let (server, _proxy) = Server::start_behind_a_proxy(broker_that_is_away().await).await;
    let project = Project::make(&server, "jane").await;
    let job = project.submit().await.to_string();
    for (what, answer) in ask_all(&server, &project, &job).await {
        assert!(answer.status < 300, "{what}: {} {}", answer.status, answer.text());
    }
    let waiting = "SELECT count(*) FROM jobs j WHERE state = 'available' AND EXISTS (SELECT FROM outbox)";
    assert_eq!(server.count(waiting).await, 2);
    let health = Client { token: None, ..project.client.clone() }.get("/api/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["broker"]["is_reachable"]), (&json!("degraded"), &json!(false)));
}
