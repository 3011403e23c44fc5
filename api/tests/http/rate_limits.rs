//! Limits, over several API processes.

use crate::client::{Client, empty, full};
use crate::server::{PASSWORD, Project, Server};
use axum::http::Method;
use serde_json::json;
use shared::config::RateLimits;
use tokio::net::TcpListener;

fn only(set: impl FnOnce(&mut RateLimits)) -> RateLimits {
    let mut limits = RateLimits::none();
    set(&mut limits);
    limits
}

/// Addresses differ, so that no lock-out of an address comes first.
async fn try_login(client: &Client, n: usize) -> crate::client::Answer {
    client.post("/api/auth/login", &json!({"email": format!("u{n}@example.org"), "password": "x"})).await
}

async fn the_eleventh_login_is_refused_by_either(one: &Server, other: &Server) {
    for n in 0..10 {
        let server = if n % 2 == 0 { one } else { other };
        let answer = try_login(&server.client, n).await;
        assert_eq!(answer.status, 401, "{n}: {}", answer.text());
        let left = 9 - n;
        assert!(answer.header("ratelimit-policy").contains("\"login\";q=10;w=3600"));
        assert!(
            answer.header("ratelimit").starts_with(&format!("\"login\";r={left};")),
            "{}",
            answer.header("ratelimit")
        );
    }
    for server in [one, other] {
        let answer = try_login(&server.client, 11).await;
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((300..=360).contains(&wait), "{wait}");
        assert!(answer.header("ratelimit").starts_with("\"login\";r=0;"));
        answer.problem(429, "rate_limited");
    }
    // Others are not concerned.
    one.client.get("/api/health").await.expect(200);
}

#[tokio::test]
async fn the_eleventh_login_gets_429_across_two_processes_that_share_a_database() {
    let one =
        Server::start_with(|config| config.rate_limits = only(|limits| limits.logins_per_ip_hour = 10)).await;
    let other = one.another(|_| ()).await;
    the_eleventh_login_is_refused_by_either(&one, &other).await;
    assert_eq!(one.count("SELECT count(*) FROM rate_limits").await, 1);
}

#[tokio::test]
async fn the_eleventh_login_gets_429_across_two_processes_that_share_redis() {
    let Some(url) = redis_url() else { return };
    let one = Server::start_with(|config| {
        config.rate_limits = only(|limits| limits.logins_per_ip_hour = 10);
        config.redis.url = Some(url.clone().into());
    })
    .await;
    forget(&url, "login").await;
    let other = one.another(|_| ()).await;
    the_eleventh_login_is_refused_by_either(&one, &other).await;
    assert_eq!(one.count("SELECT count(*) FROM rate_limits").await, 0, "counted in Redis alone");
    forget(&url, "login").await;
}

/// Nothing listens there: limits hold all the same, and nobody waits.
#[tokio::test]
async fn limits_hold_while_redis_is_away() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("redis://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let server = Server::start_with(|config| {
        config.rate_limits = only(|limits| {
            limits.logins_per_ip_hour = 10;
            limits.submissions_per_user_hour = 2;
        });
        config.redis.url = Some(url.into());
    })
    .await;
    for n in 0..9 {
        assert_eq!(try_login(&server.client, n).await.status, 401);
    }
    let project = Project::make(&server, "jane").await;
    for _ in 0..2 {
        project.submit().await;
    }
    let third = project.client.post("/api/reconciliation/jobs", &project.submission()).await;
    assert!(third.header("ratelimit").starts_with("\"submissions\";r=0;"), "{}", third.header("ratelimit"));
    third.problem(429, "rate_limited");
    try_login(&server.client, 10).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn limits_are_per_user_token_and_project() {
    let server = Server::start_with(|config| {
        config.rate_limits = only(|limits| limits.requests_per_token_minute = 20);
    })
    .await;
    let jane = server.log_in_as("jane").await;
    for _ in 0..20 {
        jane.get("/api/auth/me").await.expect(200);
    }
    jane.get("/api/auth/me").await.problem(429, "rate_limited");
    let again = server.log_in("jane").await;
    again.get("/api/auth/me").await.expect(200);

    let server = Server::start_with(|config| {
        config.rate_limits = only(|limits| {
            limits.analytics_per_user_hour = 3;
            limits.requests_per_project_minute = 40;
        });
    })
    .await;
    let project = Project::make(&server, "jane").await;
    let dashboard = format!("/api/analytics/dashboard?project_id={}", project.id);
    for _ in 0..3 {
        project.client.get(&dashboard).await.expect(200);
    }
    project.client.get(&dashboard).await.problem(429, "rate_limited");
    let show = format!("/api/projects/{}", project.id);
    let mut shown = 0;
    while project.client.get(&show).await.status == 200 {
        shown += 1;
        assert!(shown <= 41);
    }
    let refused = project.client.get(&show).await;
    assert!(refused.header("ratelimit-policy").contains("\"project\";q=40;w=60"));
    refused.problem(429, "rate_limited");
}

/// Who guesses tokens is counted by address, and whoever claims to be behind a proxy is not believed.
#[tokio::test]
async fn guessing_tokens_is_limited_by_address() {
    let server = Server::start_with(|config| {
        config.rate_limits = only(|limits| limits.requests_per_ip_minute = 5);
    })
    .await;
    let guess = async |n: usize, trusted: &Server| {
        let client = Client { token: Some(format!("guess{n}")), ..trusted.client.clone() };
        let request =
            client.request(Method::GET, "/api/auth/me").header("x-forwarded-for", format!("192.0.2.{n}"));
        client.send(request, empty()).await.status
    };
    for n in 0..5 {
        assert_eq!(guess(n, &server).await, 401);
    }
    assert_eq!(guess(6, &server).await, 429);

    let behind = Server::start_with(|config| {
        config.rate_limits = only(|limits| limits.requests_per_ip_minute = 5);
        config.http.trusted_proxies = vec!["127.0.0.0/8".into()];
    })
    .await;
    for n in 0..20 {
        assert_eq!(guess(n, &behind).await, 401, "each is another client of the proxy");
    }
    for _ in 0..4 {
        assert_eq!(guess(7, &behind).await, 401);
    }
    assert_eq!(guess(7, &behind).await, 429);
}

#[tokio::test]
async fn the_sixth_registration_of_an_hour_is_refused() {
    let server = Server::start_with(|config| {
        config.rate_limits = only(|limits| limits.registrations_per_ip_hour = 5);
    })
    .await;
    let register = async |n: usize| {
        let body =
            json!({"email": format!("u{n}@example.org"), "name": "U", "password": PASSWORD}).to_string();
        let request = server.client.request(Method::POST, "/api/auth/register");
        server.client.send(request.header("content-type", "application/json"), full(body)).await
    };
    for n in 0..5 {
        register(n).await.expect(202);
    }
    register(6).await.problem(429, "rate_limited");
    assert_eq!(server.count("SELECT count(*) FROM users").await, 5);
}

pub fn redis_url() -> Option<String> {
    let url = std::env::var("COUNTERFOIL_TEST_REDIS_URL").ok();
    if url.is_none() {
        eprintln!("skipped: COUNTERFOIL_TEST_REDIS_URL is not set");
    }
    url
}

async fn forget(url: &str, limit: &str) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
    let key = format!("counterfoil:limit:{limit}:{limit}:127.0.0.1");
    let _: i64 = redis::cmd("DEL").arg(key).query_async(&mut connection).await.expect("deleted");
}
