//! Sessions, refresh tokens, passwords, lock-out and second factors.

use crate::client::{Answer, Client};
use crate::server::{PASSWORD, Server};
use aws_lc_rs::hmac;
use chrono::TimeDelta;
use serde_json::{Value, json};

async fn log_in(server: &Server, body: Value) -> Answer {
    server.client.post("/api/auth/login", &body).await
}

fn jane() -> Value {
    json!({"email": "jane@example.org", "password": PASSWORD})
}

fn with_token(server: &Server, tokens: &Value) -> Client {
    Client { token: tokens["access_token"].as_str().map(str::to_owned), ..server.client.clone() }
}

async fn refresh(server: &Server, tokens: &Value) -> Answer {
    server.client.post("/api/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]})).await
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let server = Server::start().await;
    server.register("jane").await;
    let first = log_in(&server, jane()).await.expect(200).json();
    server.clock.advance(TimeDelta::minutes(61));
    with_token(&server, &first).get("/api/auth/me").await.problem(401, "unauthenticated");
    let second = refresh(&server, &first).await.expect(200).json();
    with_token(&server, &second).get("/api/auth/me").await.expect(200);
    let third = refresh(&server, &second).await.expect(200).json();

    // The thief comes with a used one: whoever is logged in by now is not, any more.
    refresh(&server, &first).await.problem(401, "unauthenticated");
    with_token(&server, &third).get("/api/auth/me").await.problem(401, "unauthenticated");
    refresh(&server, &third).await.problem(401, "unauthenticated");
    let ended: String = sqlx::query_scalar("SELECT end_reason::text FROM sessions")
        .fetch_one(server.store.pool())
        .await
        .expect("one session");
    assert_eq!(ended, "token_reused");
    // Others of the same account go on.
    log_in(&server, jane()).await.expect(200);
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_wins_and_the_session_ends() {
    let server = Server::start().await;
    server.register("jane").await;
    let first = log_in(&server, jane()).await.expect(200).json();
    let answers = futures_util::future::join_all((0..8).map(|_| refresh(&server, &first))).await;
    let won: Vec<_> = answers.into_iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    with_token(&server, &won[0].json()).get("/api/auth/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn refresh_tokens_end_with_idleness_and_sessions_with_age() {
    let server = Server::start_with(|config| {
        config.auth.session_idle_hours = 2;
        config.auth.session_days_max = 1;
    })
    .await;
    server.register("jane").await;
    let tokens = log_in(&server, jane()).await.expect(200).json();
    server.clock.advance(TimeDelta::minutes(121));
    refresh(&server, &tokens).await.problem(401, "unauthenticated");

    let mut tokens = log_in(&server, jane()).await.expect(200).json();
    let mut refreshed = 0;
    loop {
        server.clock.advance(TimeDelta::minutes(110));
        let answer = refresh(&server, &tokens).await;
        if answer.status != 200 {
            break;
        }
        tokens = answer.json();
        refreshed += 1;
    }
    assert_eq!(refreshed, 24 * 60 / 110);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = Server::start().await;
    server.register("jane").await;
    let (laptop, phone) = (log_in(&server, jane()).await.json(), log_in(&server, jane()).await.json());
    let (laptop_client, phone_client) = (with_token(&server, &laptop), with_token(&server, &phone));
    let sessions = laptop_client.get("/api/auth/sessions").await.expect(200).json();
    let items = sessions["items"].as_array().expect("items");
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["ip"], "127.0.0.1");
    let of_phone = items.iter().find(|session| session["is_current"] == false).expect("the other");
    let path = format!("/api/auth/sessions/{}", of_phone["id"].as_str().expect("an id"));

    let eve = server.log_in_as("eve").await;
    eve.delete(&path).await.problem(404, "not_found");
    phone_client.get("/api/auth/me").await.expect(200);
    laptop_client.delete(&path).await.expect(204);
    phone_client.get("/api/auth/me").await.problem(401, "unauthenticated");
    refresh(&server, &phone).await.problem(401, "unauthenticated");
    laptop_client.delete(&path).await.problem(404, "not_found");

    let third = with_token(&server, &log_in(&server, jane()).await.json());
    laptop_client.delete("/api/auth/sessions").await.expect(204);
    third.get("/api/auth/me").await.problem(401, "unauthenticated");
    laptop_client.post("/api/auth/logout", &Value::Null).await.expect(204);
    laptop_client.get("/api/auth/me").await.problem(401, "unauthenticated");
    refresh(&server, &laptop).await.problem(401, "unauthenticated");
    eve.get("/api/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let server = Server::start().await;
    server.register("jane").await;
    let here = with_token(&server, &log_in(&server, jane()).await.json());
    let there = with_token(&server, &log_in(&server, jane()).await.json());
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    for (current, new, place, code) in [
        ("not this one", "another long password", "#/current_password", "wrong"),
        (PASSWORD, "short", "#/new_password", "too_short"),
        (PASSWORD, "aaaaaaaaaaaaaaa", "#/new_password", "common"),
        (PASSWORD, "Password12345", "#/new_password", "common"),
        (PASSWORD, PASSWORD, "#/new_password", "unchanged"),
    ] {
        let mistakes = here.post("/api/auth/password", &change(current, new)).await.mistakes();
        assert_eq!(mistakes, [(place.to_owned(), code.to_owned())], "{new}");
    }
    here.post("/api/auth/password", &change(PASSWORD, "another long password")).await.expect(204);
    here.get("/api/auth/me").await.expect(200);
    there.get("/api/auth/me").await.problem(401, "unauthenticated");
    log_in(&server, jane()).await.problem(401, "unauthenticated");
    log_in(&server, json!({"email": "jane@example.org", "password": "another long password"}))
        .await
        .expect(200);
}

/// The same is said of addresses with and without an account, at every step.
#[tokio::test]
async fn guessing_locks_an_address_whether_or_not_it_has_an_account() {
    let server = Server::start_with(|config| config.auth.lock_after_failures = 3).await;
    server.register("jane").await;
    for email in ["jane@example.org", "nobody@example.org"] {
        let guess =
            async |password: &str| log_in(&server, json!({"email": email, "password": password})).await;
        for _ in 0..3 {
            guess("a wrong password").await.problem(401, "unauthenticated");
        }
        let locked = guess(PASSWORD).await;
        assert_eq!(locked.header("retry-after"), "60", "{email}");
        locked.problem(429, "login_locked");
        server.clock.advance(TimeDelta::seconds(61));
        // Once more, and it takes twice as long.
        guess("a wrong password").await.problem(401, "unauthenticated");
        assert_eq!(guess(PASSWORD).await.header("retry-after"), "120", "{email}");
        server.clock.advance(TimeDelta::seconds(121));
    }
    log_in(&server, jane()).await.expect(200);
    // A success ends the row.
    for _ in 0..2 {
        log_in(&server, json!({"email": "JANE@example.org", "password": "x"}))
            .await
            .problem(401, "unauthenticated");
    }
    log_in(&server, jane()).await.expect(200);
}

#[tokio::test]
async fn a_password_of_an_older_cost_is_hashed_anew_at_login() {
    let server = Server::start().await;
    server.register("jane").await;
    let older = api::PasswordHasher::new(api::PasswordCost { memory_kib: 16, passes: 2, lanes: 1 })
        .expect("a hasher");
    let hash = older.hash(PASSWORD.into()).await.expect("a hash");
    sqlx::query("UPDATE users SET password_hash = $1")
        .bind(&hash)
        .execute(server.store.pool())
        .await
        .expect("set");
    log_in(&server, jane()).await.expect(200);
    let now: String = sqlx::query_scalar("SELECT password_hash FROM users")
        .fetch_one(server.store.pool())
        .await
        .expect("a row");
    assert!(now.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{now}");
    log_in(&server, jane()).await.expect(200);
}

#[tokio::test]
async fn public_keys_are_published() {
    let server = Server::start().await;
    let token = server.log_in_as("jane").await.token.expect("a token");
    let keys = server.client.get("/.well-known/jwks.json").await.expect(200).json();
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert!(key.get("d").is_none(), "{key}");
    // Whoever has only that can check a token.
    let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).expect("base64url");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let public = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::ED25519,
        decode(key["x"].as_str().expect("x")),
    );
    public.verify(signed.as_bytes(), &decode(signature)).expect("signed by it");
    let header: Value =
        serde_json::from_slice(&decode(token.split('.').next().expect("a header"))).expect("JSON");
    assert_eq!((&header["kid"], &header["typ"]), (&key["kid"], &json!("at+jwt")));
}

/// The authenticator's side of RFC 6238.
pub fn code(secret: &str, at_s: i64) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base 32");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = hmac::sign(&key, &(at_s / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 0xf);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_no_code_works_twice() {
    let server = Server::start().await;
    let client = server.log_in_as("jane").await;
    client.post("/api/auth/second-factor", &json!({"password": "x"})).await.mistakes();
    let offer =
        client.post("/api/auth/second-factor", &json!({"password": PASSWORD})).await.expect(200).json();
    let secret = offer["secret"].as_str().expect("a secret").to_owned();
    assert!(offer["address"].as_str().expect("an address").contains(&secret));
    let stored: Vec<u8> = sqlx::query_scalar("SELECT secret FROM second_factors")
        .fetch_one(server.store.pool())
        .await
        .expect("a row");
    let plain = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base 32");
    assert!(!stored.windows(plain.len()).any(|window| window == plain), "sealed");
    // Not yet confirmed, it keeps nobody out.
    log_in(&server, jane()).await.expect(200);

    let now = || server.clock.now().timestamp();
    client.post("/api/auth/second-factor/confirm", &json!({"code": "000000"})).await.mistakes();
    let confirm = json!({"code": code(&secret, now())});
    let recovery = client.post("/api/auth/second-factor/confirm", &confirm).await.expect(200).json();
    let recovery: Vec<String> = serde_json::from_value(recovery["recovery_codes"].clone()).expect("codes");
    assert_eq!(recovery.len(), 10);
    client.post("/api/auth/second-factor", &json!({"password": PASSWORD})).await.problem(409, "conflict");

    log_in(&server, jane()).await.problem(401, "second_factor_required");
    let with = |code: &str| json!({"email": "jane@example.org", "password": PASSWORD, "code": code});
    log_in(&server, with(&code(&secret, now()))).await.problem(401, "unauthenticated"); // Spent by the confirmation.
    server.clock.advance(TimeDelta::seconds(30));
    let good = code(&secret, now());
    // Without the password the code says nothing.
    let wrong = json!({"email": "jane@example.org", "password": "x", "code": good});
    log_in(&server, wrong).await.problem(401, "unauthenticated");
    log_in(&server, with(&good)).await.expect(200);
    log_in(&server, with(&good)).await.problem(401, "unauthenticated");
    server.clock.advance(TimeDelta::minutes(5));
    log_in(&server, with(&good)).await.problem(401, "unauthenticated");
    // At once from many sides, still once.
    let fresh = code(&secret, now());
    let many = futures_util::future::join_all((0..6).map(|_| log_in(&server, with(&fresh)))).await;
    assert_eq!(many.iter().filter(|answer| answer.status == 200).count(), 1);

    log_in(&server, with(&recovery[0].to_uppercase())).await.expect(200);
    log_in(&server, with(&recovery[0])).await.problem(401, "unauthenticated");
    let remove = json!({"password": PASSWORD, "code": recovery[1]});
    client.post("/api/auth/second-factor/remove", &remove).await.expect(204);
    log_in(&server, jane()).await.expect(200);
    assert_eq!(server.count("SELECT count(*) FROM recovery_codes").await, 0);
}

#[tokio::test]
async fn only_digests_are_stored() {
    let server = Server::start().await;
    server.register("jane").await;
    let tokens = log_in(&server, jane()).await.expect(200).json();
    let client = with_token(&server, &tokens);
    let project = client.post("/api/projects", &json!({"name": "x"})).await.expect(201).json();
    let path = |below: &str| format!("/api/projects/{}/{below}", project["id"].as_str().expect("an id"));
    let key =
        client.post(&path("api-keys"), &json!({"name": "x", "role": "viewer"})).await.expect(201).json();
    let invitation = client.post(&path("invitations"), &json!({"role": "viewer"})).await.expect(201).json();
    for secret in [&tokens["refresh_token"], &tokens["access_token"], &key["key"], &invitation["token"]] {
        let secret = secret.as_str().expect("a text");
        // As text, and as bytes of it.
        let found: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM api_keys k WHERE k::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM sessions s WHERE s::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM invitations i WHERE i::text LIKE '%' || $1 || '%')
                  + (SELECT count(*) FROM refresh_tokens r WHERE r::text LIKE '%' || $1 || '%' OR digest = convert_to($1, 'UTF8'))",
        )
        .bind(secret)
        .fetch_one(server.store.pool())
        .await
        .expect("counted");
        assert_eq!(found, 0);
    }
}
