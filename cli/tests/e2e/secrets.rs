//! Secrets keep somebody out, and show nowhere.

use crate::client::Client;
use crate::database::Database;
use crate::process::{Process, counterfoil};
use serde_json::json;
use shared::testing::test_dir;
use std::process::Command;

/// How a role with these settings ends, and its last words.
fn refused(role: &str, settings: &[(&str, &str)]) -> String {
    let mut command: Command = counterfoil();
    for (name, value) in settings {
        command.env(format!("COUNTERFOIL_{name}"), value);
    }
    let ended = command.arg(role).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(1), "{role} {settings:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

#[test]
fn a_role_refuses_to_start_with_a_missing_default_or_short_secret() {
    let database = ("DATABASE__URL", "postgres://app@127.0.0.1:1/x");
    let broker = ("BROKER__URL", "amqp://127.0.0.1:1");
    let objects = ("OBJECTS__DIR", "/nowhere");
    let key = ("AUTH__SIGNING_KEY_FILE", "/nowhere/at/all");
    for (settings, names, hides) in [
        (vec![broker, objects, key], "database.url", "127.0.0.1:1/"),
        (vec![database, broker, objects], "auth.signing_key", "app@"),
        (vec![database, broker, objects, key], "/nowhere/at/all", "app@"),
        (
            vec![("DATABASE__URL", "postgres://app:hunter2@db/x"), broker, objects, key],
            "database.url",
            "hunter2",
        ),
        (
            vec![("DATABASE__URL", "postgres://app:postgres@db/x"), broker, objects, key],
            "database.url",
            ":postgres@",
        ),
        (vec![database, ("BROKER__URL", "amqp://guest:guest@broker"), objects, key], "broker.url", "guest"),
        (
            vec![database, broker, objects, key, ("REDIS__URL", "redis://:hunter2@cache")],
            "redis.url",
            "hunter2",
        ),
        (vec![("DATABASE__URL", "file:/nowhere/db"), broker, objects, key], "/nowhere/db", "hunter2"),
        (
            vec![("DATABASE__URL", "env:COUNTERFOIL_NOT_SET"), broker, objects, key],
            "COUNTERFOIL_NOT_SET",
            "hunter2",
        ),
        (vec![("DATABASE__URL", "aws:prod/db"), broker, objects, key], "secrets.aws_region", "hunter2"),
    ] {
        let mut settings = settings;
        // Of the machine that runs this, perhaps.
        settings.push(("LOG__FILTER", "info"));
        let said = refused("api", &settings);
        assert!(said.contains(names), "{names} is not named: {said}");
        assert!(!said.contains(hides), "{said}");
    }
    let keys = test_dir("keys");
    let file = keys.join("key.der");
    std::fs::write(&file, api::SigningKey::generate()).expect("written");
    let key = ("AUTH__SIGNING_KEY_FILE", file.to_str().expect("UTF-8"));
    let said = refused("api", &[database, broker, objects, key, ("AUTH__SEALING_KEY", "tooshortakey")]);
    assert!(said.contains("auth.sealing_key") && !said.contains("tooshortakey"), "{said}");
}

/// The database, as somebody with this password.
fn with_password(database: &Database, password: &str) -> String {
    let user = format!("canary_{}", uuid::Uuid::now_v7().simple());
    database.run(&format!("CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{password}'"));
    let url = database.url();
    let rest = url.split_once('@').expect("a user").1;
    format!("postgres://{user}:{password}@{rest}")
}

/// Marked values go in wherever a secret does; whatever the process writes and answers is searched for them.
#[test]
fn no_secret_shows_in_logs_answers_and_figures() {
    let dir = test_dir("canary");
    let database = Database::create();
    let mut command = counterfoil();
    command
        .env("COUNTERFOIL_HTTP__LISTEN", "127.0.0.1:0")
        .env("COUNTERFOIL_DATABASE__URL", with_password(&database, "canary-of-the-database"))
        .env("COUNTERFOIL_REDIS__URL", "redis://:canary-of-redis@127.0.0.1:1")
        .env("COUNTERFOIL_RATE_LIMITS__LOGINS_PER_IP_HOUR", "1000")
        // sqlx writes statements at debug, never what is bound; the HTTP client of the system writes headers at trace.
        .env("COUNTERFOIL_LOG__FILTER", "trace")
        .args(["up", "--data-dir"])
        .arg(dir.join("data"));
    let mut process = Process::start("up", &dir, command);
    let up = process.wait_for_output("is up at ");
    let url = up.split("is up at ").nth(1).expect("an address").trim().to_owned();
    process.wait_for_output("administrator ");
    let random = process.stdout();
    let random = random
        .split("password ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("one")
        .to_owned();

    let client = Client::new(&url);
    let password = "canary-of-a-password";
    let email = "canary@example.org";
    client
        .post("/api/auth/register", &json!({"email": email, "name": "C", "password": password}))
        .expect(202);
    let login = json!({"email": email, "password": password});
    let tokens = client.post("/api/auth/login", &login).expect(200);
    client.post("/api/auth/login", &json!({"email": email, "password": "canary-that-is-wrong"})).expect(401);
    let me = Client::new(&url).logged_in(email, password);
    let project = me.post("/api/projects", &json!({"name": "x"})).expect(201);
    let below = |what: &str| format!("/api/projects/{}/{what}", project["id"].as_str().expect("an id"));
    let key = me.post(&below("api-keys"), &json!({"name": "x", "role": "viewer"})).expect(201);
    let invitation = me.post(&below("invitations"), &json!({"role": "viewer"})).expect(201);
    let offer = me.post("/api/auth/second-factor", &json!({"password": password})).expect(200);
    let next =
        client.post("/api/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]})).expect(200);
    client.post("/api/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]})).expect(401);
    // Mistakes quote what was sent, but no secret.
    let answers = [
        client.post("/api/auth/login", &json!({"email": "canary", "password": ["canary-in-a-list"]})).text(),
        client.post("/api/auth/register", &json!({"email": 7, "password": "canary"})).text(),
        me.post("/api/auth/password", &json!({"current_password": password, "new_password": "canary"}))
            .text(),
        Client::new(&url).at(&url, crate::wait::PATIENCE).get("/api/metrics").text(),
        me.get("/api/health").text(),
        me.get(&below("api-keys")).text(),
        me.get("/api/auth/sessions").text(),
    ];
    assert!(process.stop(libc::SIGTERM).success());

    let mut secrets = vec![
        "canary-of-the-database".to_owned(),
        "canary-of-redis".into(),
        password.into(),
        "canary-that-is-wrong".into(),
        "canary-in-a-list".into(),
        random,
    ];
    for (answer, name) in [
        (&tokens, "refresh_token"),
        (&tokens, "access_token"),
        (&next, "refresh_token"),
        (&next, "access_token"),
        (&key, "key"),
        (&invitation, "token"),
        (&offer, "secret"),
    ] {
        secrets.push(answer[name].as_str().expect("a secret").to_owned());
    }
    let log = process.stderr();
    assert!(log.contains("a login failed") && log.contains("Redis is away"), "the log is the whole one");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        for answer in &answers {
            assert!(!answer.contains(secret.as_str()), "{secret} is in {answer}");
        }
    }
}
