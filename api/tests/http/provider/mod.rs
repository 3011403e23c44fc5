//! Logging in by an OpenID provider: a real one, on a loopback port, that can lie.

mod issuer;
mod pages;

use crate::client::Client;
use crate::server::{PASSWORD, Project, Server, id_of};
use data_encoding::BASE64URL_NOPAD;
use issuer::{CLIENT_ID, CLIENT_SECRET, Forge, Issuer, Key, Twist};
use serde_json::{Value, json};
use shared::config::Config;

fn configure(config: &mut Config, issuer: &Issuer) {
    config.notifications.public_url = Some("https://books.example/".into());
    config.oidc.issuer = Some(issuer.url.clone());
    config.oidc.client_id = Some(CLIENT_ID.into());
    config.oidc.client_secret = Some(CLIENT_SECRET.into());
    config.oidc.name = "Example ID".into();
    config.oidc.networks = vec!["127.0.0.0/8".into()];
}

async fn start(more: impl FnOnce(&mut Config)) -> (Issuer, Server) {
    let issuer = Issuer::start().await;
    let server = Server::start_with(|config| {
        configure(config, &issuer);
        more(config);
    })
    .await;
    (issuer, server)
}

/// Claims about somebody, good for the next minutes of this server's clock.
fn claims(server: &Server, name: &str) -> Value {
    let now = server.clock.now().timestamp();
    json!({
        "sub": format!("subject of {name}"), "email": format!("{name}@example.org"), "email_verified": true,
        "name": name, "iat": now, "exp": now + 300,
    })
}

/// A log-in that has come back from the provider.
async fn come_back(server: &Server, issuer: &Issuer, person: Value) -> Value {
    let begun = server.client.post("/api/auth/provider/start", &Value::Null).await.expect(200).json();
    let (code, state) = issuer.authorize(begun["authorization_url"].as_str().expect("one"), person);
    assert_eq!(begun["state"], state.as_str());
    json!({"state": state, "browser_token": begun["browser_token"], "code": code})
}

async fn finish(server: &Server, back: &Value) -> crate::client::Answer {
    server.client.post("/api/auth/provider/finish", back).await
}

async fn log_in(server: &Server, issuer: &Issuer, person: Value) -> Client {
    let back = come_back(server, issuer, person).await;
    let tokens = finish(server, &back).await.expect(200).json();
    Client { token: tokens["access_token"].as_str().map(str::to_owned), ..server.client.clone() }
}

#[tokio::test]
async fn somebody_logs_in_by_the_provider_and_is_the_same_the_next_time() {
    let (issuer, server) =
        start(|config| config.auth.registration = shared::config::Registration::Closed).await;
    assert_eq!(server.client.get("/api/auth/provider").await.expect(200).json()["name"], "Example ID");
    let jane = log_in(&server, &issuer, claims(&server, "jane")).await;
    let me = jane.get("/api/auth/me").await.expect(200).json();
    assert_eq!((me["email"].as_str(), me["name"].as_str()), (Some("jane@example.org"), Some("jane")));
    assert_eq!(me["is_platform_admin"], false);
    // Known by the subject: the address may change, and the key and its algorithm, too.
    issuer.change(|truth| truth.keys = vec![Key::ec("new")]);
    let mut moved = claims(&server, "jane");
    moved["email"] = "jane@elsewhere.example".into();
    let reads = issuer.state.lock().expect("unharmed").key_reads;
    server.clock.advance(chrono::TimeDelta::seconds(1));
    let back = come_back(&server, &issuer, moved.clone()).await;
    // The keys were read seconds ago, and are not read for every token that names another one.
    finish(&server, &back).await.problem(401, "unauthenticated");
    assert_eq!(issuer.state.lock().expect("unharmed").key_reads, reads);
    let another = server.another(|_| ()).await;
    let again = log_in(&another, &issuer, moved).await;
    assert_eq!(again.get("/api/auth/me").await.expect(200).json()["id"], me["id"]);
    // Nobody knows the password of such an account.
    let body = json!({"email": "jane@example.org", "password": PASSWORD});
    server.client.post("/api/auth/login", &body).await.problem(401, "unauthenticated");
    assert_eq!(server.count("SELECT count(*) FROM provider_logins").await, 0, "all are spent");
}

#[tokio::test]
async fn a_log_in_is_finished_once_in_its_own_browser_and_in_time() {
    let (issuer, server) = start(|_| ()).await;
    let back = come_back(&server, &issuer, claims(&server, "jane")).await;
    let other = come_back(&server, &issuer, claims(&server, "eve")).await;
    // Another browser, a state that nobody began, one browser's state with the token of another.
    let with = |name: &str, value: &Value| {
        let mut changed = back.clone();
        changed[name] = value.clone();
        changed
    };
    for wrong in [
        with("browser_token", &json!("guessed")),
        with("state", &json!("guessed")),
        with("state", &other["state"]),
        with("browser_token", &other["browser_token"]),
    ] {
        finish(&server, &wrong).await.problem(401, "unauthenticated");
    }
    // An attacker's code in the victim's log-in: PKCE binds it to the other browser.
    finish(&server, &with("code", &other["code"])).await.problem(401, "unauthenticated");
    finish(&server, &back).await.problem(401, "unauthenticated");
    // What was refused is spent; and so is what was let in.
    let back = come_back(&server, &issuer, claims(&server, "jane")).await;
    finish(&server, &back).await.expect(200);
    finish(&server, &back).await.problem(401, "unauthenticated");
    let late = come_back(&server, &issuer, claims(&server, "jane")).await;
    server.clock.advance(chrono::TimeDelta::seconds(601));
    finish(&server, &late).await.problem(401, "unauthenticated");
    finish(&server, &json!({})).await.problem(422, "invalid");
}

#[tokio::test]
async fn of_two_that_finish_at_once_one_gets_in() {
    let (issuer, server) = start(|_| ()).await;
    for _ in 0..5 {
        let back = come_back(&server, &issuer, claims(&server, "jane")).await;
        let (one, other) = tokio::join!(finish(&server, &back), finish(&server, &back));
        let mut both = [one.status, other.status];
        both.sort_unstable();
        assert_eq!(both, [200, 401]);
    }
    assert_eq!(server.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn tokens_that_are_not_for_this_log_in_are_refused() {
    let (issuer, server) = start(|_| ()).await;
    let now = server.clock.now().timestamp();
    let twists: Vec<(&str, Twist)> = vec![
        ("nonce of another", Box::new(|claims| claims["nonce"] = "another".into())),
        ("no nonce", Box::new(|claims| drop(claims.as_object_mut().expect("an object").remove("nonce")))),
        ("audience", Box::new(|claims| claims["aud"] = "another client".into())),
        ("one of several", Box::new(|claims| claims["aud"] = json!([CLIENT_ID, "another"]))),
        ("issuer", Box::new(|claims| claims["iss"] = "https://evil.example".into())),
        ("expired", Box::new(move |claims| claims["exp"] = json!(now - 61))),
        ("of tomorrow", Box::new(move |claims| claims["iat"] = json!(now + 86_400))),
        ("nobody", Box::new(|claims| claims["sub"] = "".into())),
    ];
    for (what, twist) in twists {
        issuer.change(|truth| truth.twist = twist);
        let back = come_back(&server, &issuer, claims(&server, "jane")).await;
        assert_eq!(finish(&server, &back).await.status, 401, "{what}");
    }
    issuer.change(|truth| truth.twist = Box::new(|_| ()));
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let stranger = Key::rsa("first");
    let forges: Vec<(&str, Forge)> = vec![
        ("alg none", Box::new(move |claims| format!("{}.{}.", part(&json!({"alg": "none"})), part(claims)))),
        (
            "a secret that everybody knows",
            Box::new(move |claims| {
                let signed = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "first"})), part(claims));
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
                let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
                format!("{signed}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
            }),
        ),
        ("another's key of that name", Box::new(move |claims| stranger.sign(claims))),
        ("no token at all", Box::new(|_| "x".into())),
    ];
    for (what, forge) in forges {
        issuer.change(|truth| truth.forge = Some(forge));
        let back = come_back(&server, &issuer, claims(&server, "jane")).await;
        assert_eq!(finish(&server, &back).await.status, 401, "{what}");
    }
    assert_eq!(server.count("SELECT count(*) FROM users").await, 0, "nobody has come in");
    issuer.change(|truth| truth.forge = None);
    log_in(&server, &issuer, claims(&server, "jane")).await;
    let failed = "SELECT count(*) FROM audit_records WHERE action = 'account.log_in_failed'";
    assert_eq!(server.count(failed).await, 12, "each is in the audit log");
}

#[tokio::test]
async fn an_account_is_linked_by_its_address_only_where_that_is_configured() {
    let (issuer, server) = start(|_| ()).await;
    let before = server.log_in_as("jane").await;
    let back = come_back(&server, &issuer, claims(&server, "jane")).await;
    finish(&server, &back).await.problem(403, "not_let_in");
    before.get("/api/auth/me").await.expect(200);

    let linking = server.another(|config| config.oidc.link_by_email = true).await;
    let mut unverified = claims(&server, "jane");
    unverified["email_verified"] = false.into();
    let back = come_back(&linking, &issuer, unverified).await;
    finish(&linking, &back).await.problem(403, "not_let_in");
    let now = log_in(&linking, &issuer, claims(&server, "JANE")).await;
    let me = now.get("/api/auth/me").await.expect(200).json();
    assert_eq!(me["email"], "jane@example.org");
    // Whoever had the account had not shown that the address was theirs.
    before.get("/api/auth/me").await.problem(401, "unauthenticated");
    let body = json!({"email": "jane@example.org", "password": PASSWORD});
    server.client.post("/api/auth/login", &body).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn who_comes_in_is_decided_by_domain_groups_and_accounts() {
    let (issuer, server) = start(|config| {
        config.oidc.domains = vec!["example.org".into()];
        config.oidc.groups = vec!["finance".into()];
        config.oidc.admin_groups = vec!["root".into()];
    })
    .await;
    let with = |groups: Value| {
        let mut person = claims(&server, "jane");
        person["groups"] = groups;
        person
    };
    let mut elsewhere = with(json!(["finance"]));
    elsewhere["email"] = "jane@example.com".into();
    for person in [claims(&server, "jane"), with(json!(["others"])), elsewhere] {
        let back = come_back(&server, &issuer, person).await;
        finish(&server, &back).await.problem(403, "not_let_in");
    }
    let is_admin = async |client: &Client| {
        client.get("/api/auth/me").await.expect(200).json()["is_platform_admin"].as_bool()
    };
    let jane = log_in(&server, &issuer, with(json!(["finance", "root"]))).await;
    assert_eq!(is_admin(&jane).await, Some(true));
    let again = log_in(&server, &issuer, with(json!(["finance"]))).await;
    assert_eq!((is_admin(&again).await, is_admin(&jane).await), (Some(false), Some(false)));
    // Only accounts that are there.
    let closed = server.another(|config| config.oidc.create_accounts = false).await;
    let mut john = claims(&server, "john");
    john["groups"] = json!(["finance"]);
    let back = come_back(&closed, &issuer, john).await;
    finish(&closed, &back).await.problem(403, "not_let_in");
}

#[tokio::test]
async fn groups_give_and_take_roles_in_projects() {
    let (issuer, server) = start(|_| ()).await;
    let project = Project::make(&server, "owner").await;
    let lines = vec![format!("clerks:{}:operator", project.id), format!("heads:{}:approver", project.id)];
    let ruled = server.another(|config| config.oidc.project_roles = lines).await;
    let with = |groups: Value| {
        let mut person = claims(&server, "jane");
        person["groups"] = groups;
        person
    };
    let path = format!("/api/projects/{}", project.id);
    let jane = log_in(&ruled, &issuer, with(json!(["clerks", "heads"]))).await;
    assert_eq!(jane.get(&path).await.expect(200).json()["role"], "approver");
    log_in(&ruled, &issuer, with(json!(["clerks"]))).await;
    assert_eq!(jane.get(&path).await.expect(200).json()["role"], "operator");
    log_in(&ruled, &issuer, with(json!([]))).await;
    jane.get(&path).await.problem(404, "not_found");
    let changes = project.client.get(&format!("{path}/audit?subject_kind=member")).await.expect(200).json();
    assert_eq!(changes["items"].as_array().expect("items").len(), 3, "{changes}");
}

#[tokio::test]
async fn the_address_may_come_from_the_providers_other_answer() {
    let (issuer, server) = start(|_| ()).await;
    let mut short = claims(&server, "jane");
    for name in ["email", "email_verified", "name"] {
        short.as_object_mut().expect("an object").remove(name);
    }
    let about =
        |sub: &str| json!({"sub": sub, "email": "jane@example.org", "email_verified": true, "name": "Jane"});
    issuer.change(|truth| truth.userinfo = about("somebody else"));
    let back = come_back(&server, &issuer, short.clone()).await;
    finish(&server, &back).await.problem(403, "not_let_in");
    issuer.change(|truth| truth.userinfo = about("subject of jane"));
    let jane = log_in(&server, &issuer, short).await;
    assert_eq!(jane.get("/api/auth/me").await.expect(200).json()["name"], "Jane");
}

#[tokio::test]
async fn a_provider_that_is_away_or_lies_about_itself_lets_nobody_in() {
    let (issuer, server) = start(|_| ()).await;
    issuer.change(|truth| truth.is_broken = true);
    let answer = server.client.post("/api/auth/provider/start", &Value::Null).await;
    assert_eq!(answer.header("retry-after"), "5");
    answer.problem(503, "unavailable");
    issuer.change(|truth| {
        truth.is_broken = false;
        truth.about = json!({"issuer": "https://id.example"});
    });
    server.client.post("/api/auth/provider/start", &Value::Null).await.problem(503, "unavailable");
    // A provider that names itself when it sends somebody back must do so, and be itself.
    issuer.change(|truth| {
        truth.about = json!({
            "authorization_response_iss_parameter_supported": true,
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
    });
    let mut back = come_back(&server, &issuer, claims(&server, "jane")).await;
    finish(&server, &back).await.problem(401, "unauthenticated");
    back = come_back(&server, &issuer, claims(&server, "jane")).await;
    back["iss"] = "https://evil.example".into();
    finish(&server, &back).await.problem(401, "unauthenticated");
    back = come_back(&server, &issuer, claims(&server, "jane")).await;
    back["iss"] = issuer.url.as_str().into();
    finish(&server, &back).await.expect(200);
    // Outside the networks that are allowed, nothing is asked at all.
    let outside = server.another(|config| config.oidc.networks = vec![]).await;
    outside.client.post("/api/auth/provider/start", &Value::Null).await.problem(503, "unavailable");
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_begin() {
    let server = Server::start().await;
    assert_eq!(server.client.get("/api/auth/provider").await.expect(200).json()["name"], Value::Null);
    server.client.post("/api/auth/provider/start", &Value::Null).await.problem(404, "not_found");
    let body = json!({"state": "x", "browser_token": "y", "code": "z"});
    server.client.post("/api/auth/provider/finish", &body).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_log_in_by_the_provider_is_in_the_audit_log() {
    let (issuer, server) = start(|_| ()).await;
    let jane = log_in(&server, &issuer, claims(&server, "jane")).await;
    let id = id_of(&jane.get("/api/auth/me").await.expect(200).json()).to_owned();
    server.promote("jane").await;
    log_in(&server, &issuer, claims(&server, "jane")).await;
    let page = jane.get("/api/audit?action=account.log_in").await.expect(200).json();
    let items = page["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{page}");
    assert!(items.iter().all(|item| item["by"]["user_id"] == id.as_str()));
}
