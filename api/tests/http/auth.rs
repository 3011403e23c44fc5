//! Accounts and tokens.

use crate::client::Client;
use crate::server::{PASSWORD, Server};
use api::{PasswordCost, PasswordHasher};
use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::config::Registration;

#[tokio::test]
async fn who_registers_may_log_in_and_is_known() {
    let server = Server::start().await;
    let body = json!({"email": "Jane.Doe@Example.org", "name": "  Jane ", "password": PASSWORD});
    let registered = server.client.post("/api/auth/register", &body).await.expect(202).json();
    assert_eq!(registered, json!({"email": "Jane.Doe@Example.org"}));

    let login = json!({"email": "jane.doe@example.org", "password": PASSWORD});
    let token = server.client.post("/api/auth/login", &login).await.expect(200).json();
    assert_eq!((&token["token_type"], &token["expires_in_s"]), (&json!("Bearer"), &json!(3600)));
    let jane = Client { token: token["access_token"].as_str().map(str::to_owned), ..server.client.clone() };
    let me = jane.get("/api/auth/me").await.expect(200).json();
    assert_eq!((&me["email"], &me["name"]), (&json!("Jane.Doe@Example.org"), &json!("Jane")));
    assert_eq!(me["is_platform_admin"], false);
    assert!(!me.to_string().contains("argon2"), "{me}");

    let hash: String = sqlx::query_scalar("SELECT password_hash FROM users")
        .fetch_one(server.store.pool())
        .await
        .expect("a row");
    assert!(hash.starts_with("$argon2id$") && !hash.contains(PASSWORD), "{hash}");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let server = Server::start().await;
    server.register("jane").await;
    let refuse = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let mut problem = server.client.post("/api/auth/login", &body).await.problem(401, "unauthenticated");
        // Of this request alone.
        for member in ["request_id", "trace_id"] {
            problem[member] = Value::Null;
        }
        problem
    };
    let wrong = refuse("jane@example.org", "not the password").await;
    assert_eq!(wrong, refuse("john@example.org", PASSWORD).await);
    assert_eq!(wrong, refuse("jane@example.org", "x").await);
}

#[tokio::test]
async fn every_mistake_of_a_registration_is_named_at_once() {
    let server = Server::start().await;
    let body = json!({"email": "nobody", "name": " ", "password": "short", "is_platform_admin": true});
    let mistakes = server.client.post("/api/auth/register", &body).await.mistakes();
    let expected = [
        ("#/email", "format"),
        ("#/is_platform_admin", "unknown_field"),
        ("#/name", "too_short"),
        ("#/password", "too_short"),
    ];
    assert_eq!(mistakes, expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    assert_eq!(server.count("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn an_address_has_one_account_whatever_its_letter_case() {
    let server = Server::start().await;
    server.register("jane").await;
    // The answer does not tell whether the address had an account; the account stays as it is.
    let body = json!({"email": "JANE@example.org", "name": "J", "password": "another long password"});
    let again = server.client.post("/api/auth/register", &body).await.expect(202).json();
    let fresh = json!({"email": "john@example.org", "name": "J", "password": PASSWORD});
    let fresh = server.client.post("/api/auth/register", &fresh).await.expect(202).json();
    assert_eq!((again, fresh), (json!({"email": "JANE@example.org"}), json!({"email": "john@example.org"})));
    assert_eq!(server.count("SELECT count(*) FROM users").await, 2);
    server.log_in("jane").await;
}

#[tokio::test]
async fn closed_registration_leaves_accounts_to_the_operator() {
    let server = Server::start_with(|config| config.auth.registration = Registration::Closed).await;
    let body = json!({"email": "jane@example.org", "name": "Jane", "password": PASSWORD});
    server.client.post("/api/auth/register", &body).await.problem(403, "registration_closed");

    let hasher = PasswordHasher::new(PasswordCost::TRIVIAL).expect("a hasher");
    let create = async |email: &str, password: &str| {
        api::accounts::create(&server.store, &hasher, email, "Jane", &password.into(), true).await
    };
    let refused = create("jane", "short").await.expect_err("refused").to_string();
    assert!(refused.contains("email:") && refused.contains("password:"), "{refused}");
    assert!(create("jane@example.org", PASSWORD).await.expect("made").is_platform_admin);
    let taken = create("jane@example.org", PASSWORD).await;
    assert!(matches!(taken, Err(api::accounts::AccountError::Taken)));
    let me = server.log_in("jane").await.get("/api/auth/me").await.expect(200).json();
    assert_eq!(me["is_platform_admin"], true);
}

#[tokio::test]
async fn tokens_end_with_their_time_and_belong_to_their_key() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    server.clock.advance(TimeDelta::minutes(59));
    jane.get("/api/auth/me").await.expect(200);

    let with = |token: String| Client { token: Some(token), ..jane.clone() };
    let token = jane.token.clone().expect("a token");
    let payload = token.split('.').nth(1).expect("a payload");
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    let elsewhere = Server::start().await.log_in_as("jane").await.token.expect("a token");
    for bad in [unsigned, elsewhere, "x".into(), format!("{token}x"), token.to_uppercase()] {
        let answer = with(bad).get("/api/auth/me").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.problem(401, "unauthenticated");
    }
    server.client.get("/api/auth/me").await.problem(401, "unauthenticated");

    server.clock.advance(TimeDelta::minutes(2));
    let problem = jane.get("/api/auth/me").await.problem(401, "unauthenticated");
    assert_eq!(problem["detail"], "The access token has expired");
}

#[tokio::test]
async fn the_token_of_a_deleted_account_opens_nothing() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    sqlx::query("DELETE FROM users").execute(server.store.pool()).await.expect("deleted");
    jane.get("/api/auth/me").await.problem(401, "unauthenticated");
    jane.post("/api/projects", &json!({"name": "x"})).await.problem(401, "unauthenticated");
    jane.get("/api/projects").await.problem(401, "unauthenticated");
}
