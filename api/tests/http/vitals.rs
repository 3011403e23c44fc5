//! Health, readiness and figures.

use crate::client::Client;
use crate::server::{PASSWORD, Project, Server, metrics, queue};
use api::{Figures, Parts, PasswordCost, PasswordHasher, SigningKey, SigningKeys};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Config;
use shared::job::JobKind;
use shared::objects::Objects;
use shared::queue::Queue;
use shared::store::{PoolLimits, Store};
use shared::testing::{TestDatabase, amqp_url};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The recorder belongs to the process: whoever looks at gauges looks alone.
static FIGURES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn figure(text: &str, series: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
}

#[tokio::test]
async fn a_healthy_server_says_so() {
    let server = Server::start().await;
    let health = server.client.get("/api/health").await.expect(200).json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["database"]["is_reachable"], true);
    assert!(health["database"]["ping_ms"].as_f64().expect("a time") >= 0.0);
    // Ten for tenants and ten for the system.
    assert_eq!(health["database"]["connections_max"], 20);
    assert_eq!(health["broker"], json!({"is_reachable": true, "is_blocked": false}));
    assert_eq!(health["objects"], json!({"is_writable": true}));
    let ready = server.client.get("/api/ready").await.expect(200).json();
    assert_eq!(ready, json!({"is_ready": true, "missing": []}));
    server.client.get("/api/live").await.expect(204);
    server.client.get("/livez").await.expect(204);
    assert_eq!(server.client.get("/readyz").await.expect(200).json(), ready);
    assert_eq!(server.client.get("/startupz").await.expect(200).json(), ready);
}

#[tokio::test]
async fn an_object_store_that_takes_no_writes_degrades() {
    let server = Server::start().await;
    // Not permissions, which root would ignore: a file where the folder was.
    std::fs::remove_dir_all(server.objects.path()).expect("removed");
    std::fs::write(server.objects.path(), "").expect("a file");
    let health = server.client.get("/api/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["objects"]["is_writable"]), (&json!("degraded"), &json!(false)));
    std::fs::remove_file(server.objects.path()).expect("removed");
}

#[tokio::test]
async fn a_broker_that_is_away_degrades() {
    let database = TestDatabase::create().await;
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let away = Queue::amqp(&format!("amqp://{free}/%2f").into(), "api-vitals", &[]).expect("a URL");
    let (client, stop) = serve_figures(database.store(), away).await;
    let health = client.get("/api/health").await.expect(200).json();
    assert_eq!(health["status"], "degraded", "jobs are accepted all the same");
    assert_eq!(health["broker"], json!({"is_reachable": false, "is_blocked": false}));
    stop.cancel();
}

#[tokio::test]
async fn figures_come_from_a_real_broker_too() {
    let _alone = FIGURES.lock().await;
    let database = TestDatabase::create().await;
    let queues = [JobKind::RECONCILIATION.queue()];
    let broker = Queue::amqp(&amqp_url().into(), "api-vitals", &queues).expect("a URL");
    let (client, stop) = serve_figures(database.store(), broker).await;
    let health = client.get("/api/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["broker"]["is_reachable"]), (&json!("ok"), &json!(true)));
    let text = client.get("/api/metrics").await.expect(200).text();
    assert_eq!(
        figure(&text, "counterfoil_queue_depth{queue=\"reconciliation\"}").as_deref(),
        Some("0"),
        "{text}"
    );
    stop.cancel();
}

#[tokio::test]
async fn a_database_without_tables_is_not_ready() {
    let database = TestDatabase::create_empty().await;
    let (client, stop) = serve_figures(database.store(), queue()).await;
    client.get("/api/health").await.expect(200);
    let ready = client.get("/api/ready").await.expect(503).json();
    assert_eq!(ready, json!({"is_ready": false, "missing": ["migrations"]}));
    for probe in ["/readyz", "/startupz"] {
        assert_eq!(client.get(probe).await.expect(503).json(), ready, "{probe}");
    }
    client.get("/livez").await.expect(204);

    // Once started it stays so, whatever becomes of the database.
    let store = database.store();
    store.migrate().await.expect("migrated");
    client.get("/startupz").await.expect(200);
    sqlx::query("DROP TABLE _sqlx_migrations").execute(store.pool()).await.expect("dropped");
    client.get("/readyz").await.expect(503);
    client.get("/startupz").await.expect(200);
    stop.cancel();
}

#[tokio::test]
async fn figures_follow_the_jobs() {
    let _alone = FIGURES.lock().await;
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (first, _) = (project.submit().await, project.submit().await);
    let scrape = async || server.client.get("/api/metrics").await.expect(200).text();
    let text = scrape().await;
    let available = "counterfoil_jobs{queue=\"reconciliation\",state=\"available\"}";
    assert_eq!(figure(&text, available).as_deref(), Some("2"), "{text}");
    assert_eq!(figure(&text, "counterfoil_outbox_doorbells").as_deref(), Some("2"));
    assert_eq!(figure(&text, "counterfoil_queue_depth{queue=\"reconciliation\"}").as_deref(), Some("0"));
    for pool in ["tenants", "system"] {
        let max = figure(&text, &format!("counterfoil_database_connections_max{{pool=\"{pool}\"}}"));
        assert_eq!(max.as_deref(), Some("10"), "{pool}");
    }
    let age =
        figure(&text, "counterfoil_jobs_oldest_age_seconds{queue=\"reconciliation\",state=\"available\"}");
    assert!(age.expect("an age").parse::<f64>().expect("a number") < 60.0);
    for series in [
        "counterfoil_http_requests_total{method=\"POST\",route=\"/api/reconciliation/jobs\",status=\"202\"}",
        "counterfoil_http_request_duration_seconds_count{method=\"POST\",route=\"/api/reconciliation/jobs\",class=\"2xx\"}",
        "counterfoil_jobs_accepted_total{kind=\"reconciliation\"}",
        "counterfoil_upload_bytes_total",
    ] {
        let value = figure(&text, series).unwrap_or_else(|| panic!("no {series} in {text}"));
        assert!(value.parse::<f64>().expect("a number") > 0.0, "{series}");
    }

    server.store.request_cancel(first).await.expect("cancelled");
    assert_eq!(figure(&scrape().await, available).as_deref(), Some("1"));
    sqlx::query("DELETE FROM jobs").execute(server.store.pool()).await.expect("deleted");
    assert_eq!(figure(&scrape().await, available).as_deref(), Some("0"), "no old figure stays");
}

#[tokio::test]
async fn unknown_addresses_and_methods_do_not_grow_the_figures() {
    let _alone = FIGURES.lock().await;
    let server = Server::start().await;
    for path in ["/api/a", "/api/b", "/api/reconciliation/jobs/x"] {
        server.client.get(path).await;
    }
    let text = server.client.get("/api/metrics").await.expect(200).text();
    assert!(text.contains("route=\"unknown\",status=\"404\""), "{text}");
    assert!(!text.contains("route=\"/api/a\"") && !text.contains("jobs/x"), "{text}");
}

#[tokio::test]
async fn without_a_database_the_rest_still_answers() {
    let _alone = FIGURES.lock().await;
    let (client, stop) = serve_api_without_database().await;
    let health = client.get("/api/health").await.expect(503).json();
    assert_eq!((&health["status"], &health["database"]["ping_ms"]), (&json!("down"), &Value::Null));
    assert_eq!(health["broker"]["is_reachable"], true);
    assert_eq!(client.get("/api/ready").await.expect(503).json()["missing"], json!(["database"]));
    client.get("/api/live").await.expect(204);
    client.get("/livez").await.expect(204);
    client.get("/readyz").await.expect(503);
    client.get("/startupz").await.expect(503);
    client.get("/api/openapi.json").await.expect(200);

    let text = client.get("/api/metrics").await.expect(200).text();
    let unknown = figure(&text, "counterfoil_jobs{queue=\"reconciliation\",state=\"available\"}");
    assert_eq!(unknown.as_deref(), Some("NaN"), "{text}");
    assert_eq!(figure(&text, "counterfoil_queue_depth{queue=\"reconciliation\"}").as_deref(), Some("0"));

    let body = json!({"email": "jane@example.org", "password": PASSWORD});
    let answer = client.post("/api/auth/login", &body).await;
    assert_eq!(answer.header("retry-after"), "2");
    answer.problem(503, "unavailable");
    stop.cancel();
}

/// Nobody listens where this store looks.
async fn dead_store() -> Store {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let options = format!("postgres://nobody:x@{free}/nothing?sslmode=disable").parse().expect("a URL");
    Store::new(
        options,
        &PoolLimits { connections_max: 2, acquire_timeout: Duration::from_millis(200), ..Default::default() },
    )
}

async fn serve_api_without_database() -> (Client, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = Client { address: listener.local_addr().expect("an address"), token: None };
    let parts = Parts {
        store: dead_store().await,
        objects: Objects::local_disk(std::env::temp_dir()).expect("a folder"),
        queue: queue(),
        metrics: metrics(),
        clock: Clock::system(),
        signing_keys: SigningKeys::from_bytes(&SigningKey::generate()).expect("a key"),
        signing_keys_source: None,
        sealing_key: None,
        passwords: PasswordHasher::new(PasswordCost::TRIVIAL).expect("a hasher"),
        relay_wake: Arc::default(),
        listener,
    };
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move { api::run(&Config::default(), parts, token).await });
    (client, stop)
}

async fn serve_figures(store: Store, queue: Queue) -> (Client, CancellationToken) {
    serve_figures_to(None, store, queue).await
}

/// To those who send the token, if there is one.
async fn serve_figures_to(token: Option<&str>, store: Store, queue: Queue) -> (Client, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = Client { address: listener.local_addr().expect("an address"), token: None };
    let stop = CancellationToken::new();
    let figures =
        Figures { store, queue, objects: None, metrics: metrics(), metrics_token: token.map(Into::into) };
    tokio::spawn(api::serve_figures(listener, figures, stop.clone()));
    (client, stop)
}

#[tokio::test]
async fn processes_without_an_api_have_figures_and_nothing_else() {
    let _alone = FIGURES.lock().await;
    let database = TestDatabase::create().await;
    let (client, stop) = serve_figures(database.store(), queue()).await;
    let health = client.get("/api/health").await.expect(200).json();
    assert_eq!((&health["status"], &health["objects"]), (&json!("ok"), &Value::Null));
    client.get("/api/ready").await.expect(200);
    let text = client.get("/api/metrics").await.expect(200).text();
    assert!(figure(&text, "counterfoil_outbox_doorbells").is_some(), "{text}");
    client.get("/api/projects").await.problem(404, "unknown_route");
    stop.cancel();
}

#[tokio::test]
async fn figures_with_a_token_are_for_those_who_send_it() {
    let _alone = FIGURES.lock().await;
    let database = TestDatabase::create().await;
    let token = "0123456789abcdef0123456789abcdef";
    let (mut client, stop) = serve_figures_to(Some(token), database.store(), queue()).await;
    client.get("/api/metrics").await.problem(401, "unauthenticated");
    client.get("/api/health").await.expect(200);
    client.get("/readyz").await.expect(200);
    client.token = Some(format!("{token}0"));
    client.get("/api/metrics").await.problem(401, "unauthenticated");
    client.token = Some(token.into());
    let text = client.get("/api/metrics").await.expect(200).text();
    assert!(figure(&text, "counterfoil_outbox_doorbells").is_some(), "{text}");
    stop.cancel();

    // The same at an API, where people's tokens open nothing of the kind.
    let config = |config: &mut Config| config.http.metrics_token = Some(token.into());
    let server = Server::start_with(config).await;
    server.client.get("/api/metrics").await.problem(401, "unauthenticated");
    let admin = server.log_in_as_admin().await;
    admin.get("/api/metrics").await.problem(401, "unauthenticated");
    let scraper = Client { address: server.client.address, token: Some(token.into()) };
    let text = scraper.get("/api/metrics").await.expect(200).text();
    assert!(text.contains("counterfoil_jobs{"), "{text}");
}
