//! Accounts as administrators of the platform look after them.

use crate::client::Client;
use crate::pages::browser::Browser;
use crate::server::{PASSWORD, Project, Server, eventually, id_of};
use serde_json::{Value, json};

const NEW: &str = "another long password";

async fn id_of_account(client: &Client) -> String {
    id_of(&client.get("/api/auth/me").await.expect(200).json()).to_owned()
}

fn login(name: &str, password: &str) -> Value {
    json!({"email": format!("{name}@example.org"), "password": password})
}

#[tokio::test]
async fn accounts_are_found_by_address_and_name_page_by_page() {
    let server = Server::start().await;
    let root = server.log_in_as_admin().await;
    for name in ["ann", "hannah", "bob"] {
        server.register(name).await;
    }
    let names = async |path: &str| {
        let page = root.get(path).await.expect(200).json();
        let names: Vec<String> = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|a| a["name"].as_str().expect("a name").into())
            .collect();
        (names, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(names("/api/users").await, (["bob", "hannah", "ann", "root"].map(String::from).into(), None));
    let (first, next) = names("/api/users?text=ANN&limit=1").await;
    assert_eq!(first, ["hannah"]);
    let next = next.expect("a next page");
    assert!(next.contains("text=ANN&"), "{next}");
    assert_eq!(names(&next).await, (vec!["ann".to_owned()], None));
    assert_eq!(names("/api/users?text=%25").await.0, Vec::<String>::new());
    assert_eq!(root.get("/api/users?text=&limit=0").await.mistakes().len(), 2);
    let seen = root.get("/api/users?text=root").await.expect(200).json()["items"][0].clone();
    assert!(seen["last_seen_at"].is_string() && seen["is_platform_admin"] == true, "{seen}");
    let path = format!("/api/users/{}", id_of(&seen));
    assert_eq!(root.get(&path).await.expect(200).json(), seen);
}

#[tokio::test]
async fn an_account_that_is_shut_opens_nothing_in_any_process_and_is_what_it_was_when_it_opens_again() {
    let server = Server::start().await;
    let (root, project) = (server.log_in_as_admin().await, Project::make(&server, "jane").await);
    let jane = project.client.clone();
    let keys = format!("/api/projects/{}/api-keys", project.id);
    let made = jane.post(&keys, &json!({"name": "k", "role": "viewer"})).await.expect(201).json();
    let machine = Client { token: made["key"].as_str().map(str::to_owned), ..jane.clone() };
    let tokens = server.client.post("/api/auth/login", &login("jane", PASSWORD)).await.expect(200).json();
    let other = server.another(|_| ()).await;
    let there = |client: &Client| Client { address: other.client.address, ..client.clone() };
    let list = format!("/api/reconciliation/jobs?project_id={}", project.id);
    for client in [&jane, &machine, &there(&jane), &there(&machine)] {
        client.get(&list).await.expect(200);
        client.get(&list).await.expect(200);
    }
    let account = format!("/api/users/{}", id_of_account(&jane).await);
    root.post(&format!("{account}/disable"), &json!(null)).await.expect(204);
    for client in [&jane, &machine] {
        client.get(&list).await.problem(401, "unauthenticated");
    }
    for client in [there(&jane), there(&machine)] {
        eventually("the end of it", async || client.get(&list).await.status == 401).await;
    }
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    server.client.post("/api/auth/refresh", &refresh).await.problem(401, "unauthenticated");
    // Who has not its password learns nothing of it.
    let wrong = server.client.post("/api/auth/login", &login("jane", "not this password")).await;
    wrong.problem(401, "unauthenticated");
    server.client.post("/api/auth/login", &login("jane", PASSWORD)).await.problem(403, "account_disabled");
    root.post(&format!("{account}/password-reset"), &json!(null)).await.problem(404, "not_found");
    let shown = root.get(&account).await.expect(200).json();
    assert!(shown["disabled_at"].is_string(), "{shown}");

    root.post(&format!("{account}/enable"), &json!(null)).await.expect(204);
    assert_eq!(root.get(&account).await.expect(200).json()["disabled_at"], Value::Null);
    jane.get(&list).await.problem(401, "unauthenticated");
    machine.get(&list).await.expect(200);
    server.log_in("jane").await.get(&list).await.expect(200);
}

#[tokio::test]
async fn the_last_who_can_administer_the_platform_cannot_be_shut_out() {
    let server = Server::start().await;
    let (root, ann) = (server.log_in_as_admin().await, server.log_in_as_platform_admin("ann").await);
    let (of_root, of_ann) = (id_of_account(&root).await, id_of_account(&ann).await);
    let disable = |id: &str| format!("/api/users/{id}/disable");
    // At once, each the other: one of them stays.
    let (shut_ann, shut_root, nothing) = (disable(&of_ann), disable(&of_root), json!(null));
    let (one, other) = tokio::join!(root.post(&shut_ann, &nothing), ann.post(&shut_root, &nothing));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!(statuses[0] == 204 && [401, 404, 409].contains(&statuses[1]), "{statuses:?}");
    let (stays, id) = if one.status == 204 { (&root, &of_root) } else { (&ann, &of_ann) };
    stays.post(&disable(id), &json!(null)).await.problem(409, "conflict");
    stays.get("/api/users").await.expect(200);
    assert_eq!(
        server.count("SELECT count(*) FROM users WHERE is_platform_admin AND disabled_at IS NULL").await,
        1
    );
}

#[tokio::test]
async fn a_token_sets_a_new_password_once_and_for_a_day() {
    let server = Server::start().await;
    let (root, jane) = (server.log_in_as_admin().await, server.log_in_as("jane").await);
    let path = format!("/api/users/{}/password-reset", id_of_account(&jane).await);
    let offer = async || root.post(&path, &json!(null)).await.expect(201).json()["token"].clone();
    let reset = async |token: &Value, password: &str| {
        let body = json!({"token": token, "new_password": password});
        server.client.post("/api/auth/password-reset", &body).await
    };
    let unknown = [("#/token".to_owned(), "unknown".to_owned())];
    let first = offer().await;
    let second = offer().await;
    assert_eq!(reset(&first, NEW).await.mistakes(), unknown, "a later one ended it");
    assert_eq!(reset(&second, "short").await.mistakes()[0].0, "#/new_password");
    reset(&second, NEW).await.expect(204);
    assert_eq!(reset(&second, NEW).await.mistakes(), unknown, "spent");
    jane.get("/api/auth/me").await.problem(401, "unauthenticated");
    server.client.post("/api/auth/login", &login("jane", PASSWORD)).await.problem(401, "unauthenticated");
    server.client.post("/api/auth/login", &login("jane", NEW)).await.expect(200);
    let late = offer().await;
    server.clock.advance(chrono::TimeDelta::hours(24));
    assert_eq!(reset(&late, PASSWORD).await.mistakes(), unknown, "too late");
    let stored = "SELECT count(*) FROM password_resets WHERE encode(digest, 'escape') LIKE '%cfp_%'";
    assert_eq!(server.count(stored).await, 0);
}

#[tokio::test]
async fn whoever_must_choose_another_password_does_so_as_they_log_in() {
    let server = Server::start().await;
    let (root, jane) = (server.log_in_as_admin().await, server.log_in_as("jane").await);
    let path = format!("/api/users/{}/require-password-change", id_of_account(&jane).await);
    root.post(&path, &json!(null)).await.expect(204);
    jane.get("/api/auth/me").await.expect(200);
    let log_in = async |password: &str, new: Option<&str>| {
        let mut body = login("jane", password);
        if let Some(new) = new {
            body["new_password"] = new.into();
        }
        server.client.post("/api/auth/login", &body).await
    };
    log_in(PASSWORD, None).await.problem(401, "password_change_required");
    log_in("not this password", None).await.problem(401, "unauthenticated");
    log_in("not this password", Some(NEW)).await.problem(401, "unauthenticated");
    let place = |code: &str| [("#/new_password".to_owned(), code.to_owned())];
    assert_eq!(log_in(PASSWORD, Some(PASSWORD)).await.mistakes(), place("unchanged"));
    log_in(PASSWORD, Some(NEW)).await.expect(200);
    jane.get("/api/auth/me").await.problem(401, "unauthenticated");
    log_in(PASSWORD, None).await.problem(401, "unauthenticated");
    log_in(NEW, None).await.expect(200);
    assert_eq!(log_in(NEW, Some(PASSWORD)).await.mistakes(), place("unexpected"));
    let page = root.get("/api/audit?action=account.change_password").await.expect(200).json();
    assert_eq!(page["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn administrators_do_all_of_it_with_pages_and_people_choose_their_passwords_there() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    server.register("root").await;
    server.promote("root").await;
    let (root, id) = (Browser::log_in(&server, "root").await, id_of_account(&jane).await);
    let page = root.page("/system/users?text=jane").await;
    assert!(page.contains("jane@example.org") && !page.contains("<td>root@example.org"), "{page}");
    let act = async |page: &str, id: &str, action: &str| {
        root.submit(page, &format!("/system/users/{id}/{action}"), &[("text", "jane")]).await
    };
    let answer = act(&page, &id, "password-reset").await.expect(200).text();
    let (_, rest) = answer.split_once("/reset-password?token=").expect("an address");
    let token = rest.split('<').next().expect("an end").to_owned();
    let outside = Browser::new(&server);
    assert!(outside.page(&format!("/reset-password?token={token}")).await.contains(&token));
    let form = [("token", token), ("new_password", NEW.to_owned())];
    let done = outside.post_fields("/reset-password", &form).await.expect(303);
    assert_eq!(done.header("location"), "/login");
    outside.post_fields("/reset-password", &form).await.expect(422);

    act(&page, &id, "require-password-change").await.expect(303);
    let log_in = async |password: &str, new: Option<&str>| {
        let mut form = vec![("email", "jane@example.org".to_owned()), ("password", password.to_owned())];
        form.extend(new.map(|new| ("new_password", new.to_owned())));
        outside.post_fields("/login", &form).await
    };
    let asked = log_in(NEW, None).await.expect(422).text();
    assert!(asked.contains("name=\"new_password\""), "{asked}");
    let again = log_in(NEW, Some("short")).await.expect(422).text();
    assert!(again.contains("The new password must") && again.contains("name=\"new_password\""), "{again}");
    log_in(NEW, Some(PASSWORD)).await.expect(303);

    act(&page, &id, "disable").await.expect(303);
    assert!(root.page("/system/users?text=jane").await.contains("Open again"));
    let refused = log_in(PASSWORD, None).await.expect(422).text();
    assert!(refused.contains("An administrator has shut the account"), "{refused}");
    let itself = server.store.credentials("root@example.org").await.expect("asked").expect("there").id;
    let page = act(&page, &itself.to_string(), "disable").await.expect(409).text();
    assert!(page.contains("the last account"), "{page}");
}
