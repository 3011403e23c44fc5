//! The audit log over HTTP: every changing route leaves its record, and so does what was refused.

use crate::client::{Client, empty, field, file, full};
use crate::review::write_books;
use crate::server::{PASSWORD, Project, Server, eventually, mapping};
use axum::http::Method;
use serde_json::{Value, json};
use shared::store::audit::{Checkpoint, Tenant};
use std::collections::BTreeSet;

/// Everything in all chains: `(action, subject kind, user agent, ip)`.
async fn records(server: &Server) -> Vec<Value> {
    let mut all = vec![];
    for (tenant, _) in server.store.audit_chains().await.expect("chains") {
        let found =
            server.store.audit_records(tenant, &Default::default(), None, 10_000).await.expect("records");
        all.extend(found.iter().rev().map(|r| serde_json::from_str::<Value>(&r.content).expect("JSON")));
    }
    all
}

async fn send(client: &Client, method: &str, path: &str, body: Value) -> crate::client::Answer {
    let request =
        client.request(method.parse::<Method>().expect("a method"), path).header("user-agent", "a test");
    match body {
        Value::Null => client.send(request, empty()).await,
        body => client.send(request.header("content-type", "application/json"), full(body.to_string())).await,
    }
}

/// Routes of accounts, members and keys, which the second of these tests walks.
const OF_ACCOUNTS: [(&str, &str); 19] = [
    ("POST", "/api/organisations"),
    ("POST", "/api/projects/{id}/invitations"),
    ("POST", "/api/auth/invitations/accept"),
    ("DELETE", "/api/projects/{id}/invitations/{invitation_id}"),
    ("PUT", "/api/projects/{id}/members/{user_id}"),
    ("DELETE", "/api/projects/{id}/members/{user_id}"),
    ("POST", "/api/projects/{id}/api-keys"),
    ("DELETE", "/api/projects/{id}/api-keys/{key_id}"),
    ("POST", "/api/auth/second-factor/confirm"),
    ("POST", "/api/auth/second-factor/remove"),
    ("POST", "/api/auth/password"),
    ("DELETE", "/api/auth/sessions/{id}"),
    ("DELETE", "/api/auth/sessions"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/users/{id}/require-password-change"),
    ("POST", "/api/users/{id}/password-reset"),
    ("POST", "/api/auth/password-reset"),
    ("POST", "/api/users/{id}/disable"),
    ("POST", "/api/users/{id}/enable"),
];

#[tokio::test]
async fn every_change_of_accounts_members_and_keys_leaves_a_record() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (jane, john) = (project.client.clone(), server.log_in_as("john").await);
    let john_id = john.get("/api/auth/me").await.expect(200).json()["id"].as_str().expect("an id").to_owned();
    let below = |what: &str| format!("/api/projects/{}/{what}", project.id);
    let mut walked = vec![];
    let mut step = async |client: &Client, at: usize, path: String, body: Value| {
        let (method, route) = OF_ACCOUNTS[at];
        let before = records(&server).await.len();
        let answer = send(client, method, &path, body).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        let now = records(&server).await;
        assert_eq!(now.len(), before + 1, "{method} {route}");
        let named = now.iter().filter(|record| record["by"]["request_id"] == answer.header("x-request-id"));
        let named: Vec<_> = named.collect();
        assert_eq!(named.len(), 1, "{method} {route}");
        assert!(named[0]["by"]["user_id"].is_string(), "{method} {route}");
        for secret in ["cfi_", "cfk_", "cfr_", "cfp_", PASSWORD] {
            assert!(!named[0].to_string().contains(&format!("{secret}\"")), "{method} {route}: {}", named[0]);
        }
        walked.push((method, route));
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    };
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    step(&jane, 0, "/api/organisations".into(), json!({"name": "Ours"})).await;
    let invited = step(&jane, 1, below("invitations"), json!({"role": "viewer"})).await;
    let token = json!({"token": invited["token"]});
    step(&john, 2, "/api/auth/invitations/accept".into(), token).await;
    let spare = jane.post(&below("invitations"), &json!({"role": "viewer"})).await.expect(201).json();
    step(&jane, 3, below(&format!("invitations/{}", id(&spare))), Value::Null).await;
    step(&jane, 4, below(&format!("members/{john_id}")), json!({"role": "operator"})).await;
    step(&jane, 5, below(&format!("members/{john_id}")), Value::Null).await;
    let key = step(&jane, 6, below("api-keys"), json!({"name": "x", "role": "viewer"})).await;
    step(&jane, 7, below(&format!("api-keys/{}", id(&key))), Value::Null).await;
    let offer = jane.post("/api/auth/second-factor", &json!({"password": PASSWORD})).await.expect(200).json();
    let code = crate::identity::code(offer["secret"].as_str().expect("one"), server.clock.now().timestamp());
    let codes = step(&jane, 8, "/api/auth/second-factor/confirm".into(), json!({"code": code})).await;
    let remove = json!({"password": PASSWORD, "code": codes["recovery_codes"][0]});
    step(&jane, 9, "/api/auth/second-factor/remove".into(), remove).await;
    let change = json!({"current_password": PASSWORD, "new_password": "another long password"});
    step(&jane, 10, "/api/auth/password".into(), change).await;
    server.log_in("john").await;
    let sessions = john.get("/api/auth/sessions").await.expect(200).json();
    let other = sessions["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|s| s["is_current"] == false)
        .expect("another");
    step(&john, 11, format!("/api/auth/sessions/{}", id(other)), Value::Null).await;
    step(&john, 12, "/api/auth/sessions".into(), Value::Null).await;
    step(&john, 13, "/api/auth/logout".into(), Value::Null).await;
    let root = server.log_in_as_admin().await;
    let account = |what: &str| format!("/api/users/{john_id}/{what}");
    step(&root, 14, account("require-password-change"), Value::Null).await;
    let offer = step(&root, 15, account("password-reset"), Value::Null).await;
    let reset = json!({"token": offer["token"], "new_password": "yet another long password"});
    step(&server.client, 16, "/api/auth/password-reset".into(), reset).await;
    step(&root, 17, account("disable"), Value::Null).await;
    step(&root, 18, account("enable"), Value::Null).await;
    assert_eq!(walked, OF_ACCOUNTS);
}

#[tokio::test]
async fn every_route_that_changes_something_leaves_a_record() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    server.promote("jane").await;
    let jane = &project.client;
    let reviewed = project.submit().await;
    write_books(&server, reviewed).await;
    let (waiting, batch) = (project.submit().await, crate::batches::submit(&project, 1).await);
    let (to_cancel, to_retry, dead, to_delete) =
        (project.submit().await, project.submit().await, project.submit().await, project.submit().await);
    for (id, change) in [
        (to_retry, "state = 'scheduled', due_at = now() + interval '1 hour'"),
        (dead, "state = 'dead', finished_at = now()"),
        (to_delete, "state = 'cancelled', finished_at = now()"),
    ] {
        let statement = format!("UPDATE jobs SET {change} WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .execute(server.store.pool())
            .await
            .expect("changed");
    }
    let spare = project.upload("spare.csv", "Id\n1\n").await.expect(201).json();
    let spare = spare["id"].as_str().expect("an id").to_owned();
    let (schedule, system) = (project.schedule().await, {
        let body = json!({"name": "x", "kind": "clean_up", "cron": "0 2 * * *", "time_zone": "UTC"});
        let made = jane.post("/api/schedules", &body).await.expect(201).json();
        made["id"].as_str().expect("an id").to_owned()
    });
    let source =
        server.store.data_source(project.left.parse().expect("an id")).await.expect("asked").expect("there");
    let project_id = &project.id;
    let review = format!("/api/reconciliation/jobs/{reviewed}/review");
    let ann = server.log_in_as("ann").await;
    server.promote("ann").await;
    jane.put(&format!("/api/projects/{project_id}/review/limits/EUR"), &json!({"amount": "500"}))
        .await
        .expect(200);
    let body = json!({"action": "write_off", "exception": 5, "reason_code": "other"});
    let proposed = jane.post(&format!("{review}/decisions"), &body).await.expect(201).json();
    let proposed = proposed["id"].as_str().expect("an id").to_owned();
    let recorded = crate::backups::record(&server.store).await;
    let worker =
        shared::store::workers::NewWorker { name: "w1".into(), version: "1", kinds: vec![], slots: 1 };
    server.store.heartbeat(&worker, false).await.expect("told");
    let filter = json!({"exceptions": {"state": "open", "side": "left"}});
    let preview = jane.post(&format!("{review}/bulk/preview"), &filter).await.expect(200).json();

    let webhook = crate::strangers::webhook_of(&project).await;
    let alert = crate::strangers::alert_of(&server, &project).await;
    sqlx::query("INSERT INTO mail_bounces (address, says) VALUES ('gone@example.org', '550 nobody')")
        .execute(server.store.pool())
        .await
        .expect("a bounce");
    let in_bulk =
        json!({"action": "set_due", "filter": filter, "token": preview["token"], "due_on": "2026-03-01"});
    let schedule_body = json!({
        "name": "y", "kind": "reconciliation", "cron": "0 2 * * *", "time_zone": "UTC",
        "args": {"left_source_id": project.left, "right_source_id": project.right},
    });
    let steps: Vec<(&str, &str, String, Value)> = vec![
        (
            "POST",
            "/api/auth/register",
            "/api/auth/register".into(),
            json!({"email": "new@example.org", "name": "new", "password": PASSWORD}),
        ),
        (
            "POST",
            "/api/auth/login",
            "/api/auth/login".into(),
            json!({"email": "new@example.org", "password": PASSWORD}),
        ),
        ("POST", "/api/projects", "/api/projects".into(), json!({"name": "Mine"})),
        (
            "POST",
            "/api/data-sources",
            "/api/data-sources".into(),
            json!({
                "project_id": project_id, "file_id": source.file_id, "name": "x",
                "mapping": mapping("description", "Text"),
            }),
        ),
        ("POST", "/api/reconciliation/jobs", "/api/reconciliation/jobs".into(), project.submission()),
        (
            "DELETE",
            "/api/reconciliation/jobs/{id}",
            format!("/api/reconciliation/jobs/{to_delete}"),
            Value::Null,
        ),
        (
            "POST",
            "/api/reconciliation/jobs/{id}/cancel",
            format!("/api/reconciliation/jobs/{waiting}/cancel"),
            Value::Null,
        ),
        (
            "POST",
            "/api/reconciliation/jobs/{id}/review/decisions",
            format!("{review}/decisions"),
            json!({"action": "comment", "match": 1, "comment": "Looks right"}),
        ),
        ("POST", "/api/reconciliation/jobs/{id}/review/bulk", format!("{review}/bulk"), in_bulk),
        (
            "PUT",
            "/api/projects/{id}/review/reasons/{code}",
            format!("/api/projects/{project_id}/review/reasons/mine"),
            json!({"label": "Mine"}),
        ),
        (
            "PUT",
            "/api/projects/{id}/review/limits/{currency}",
            format!("/api/projects/{project_id}/review/limits/USD"),
            json!({"amount": "1"}),
        ),
        (
            "DELETE",
            "/api/projects/{id}/review/limits/{currency}",
            format!("/api/projects/{project_id}/review/limits/USD"),
            Value::Null,
        ),
        (
            "POST",
            "/api/batches",
            "/api/batches".into(),
            json!({
                "project_id": project_id, "name": "x",
                "reconciliations": [{"left_source_id": project.left, "right_source_id": project.right}],
            }),
        ),
        ("POST", "/api/jobs/{id}/cancel", format!("/api/jobs/{to_cancel}/cancel"), Value::Null),
        ("POST", "/api/jobs/{id}/redrive", format!("/api/jobs/{dead}/redrive"), Value::Null),
        ("POST", "/api/jobs/{id}/retry-now", format!("/api/jobs/{to_retry}/retry-now"), Value::Null),
        ("POST", "/api/dead-letters/redrive", "/api/dead-letters/redrive".into(), Value::Null),
        ("POST", "/api/dead-letters/purge", "/api/dead-letters/purge".into(), Value::Null),
        (
            "POST",
            "/api/schedules",
            "/api/schedules".into(),
            json!({"name": "z", "kind": "clean_up", "cron": "0 3 * * *", "time_zone": "UTC"}),
        ),
        (
            "POST",
            "/api/projects/{id}/schedules",
            format!("/api/projects/{project_id}/schedules"),
            schedule_body,
        ),
        (
            "PATCH",
            "/api/schedules/{id}",
            format!("/api/schedules/{schedule}"),
            json!({"version": 1, "priority": 2}),
        ),
        ("POST", "/api/schedules/{id}/pause", format!("/api/schedules/{schedule}/pause"), Value::Null),
        ("POST", "/api/schedules/{id}/resume", format!("/api/schedules/{schedule}/resume"), Value::Null),
        ("POST", "/api/schedules/{id}/run", format!("/api/schedules/{schedule}/run"), Value::Null),
        ("DELETE", "/api/schedules/{id}", format!("/api/schedules/{system}"), Value::Null),
        (
            "POST",
            "/api/queues/{queue}/pause",
            "/api/queues/reconciliation/pause".into(),
            json!({"reason": "a test"}),
        ),
        ("POST", "/api/queues/{queue}/resume", "/api/queues/reconciliation/resume".into(), Value::Null),
        ("POST", "/api/workers/{name}/drain", "/api/workers/w1/drain".into(), Value::Null),
        ("POST", "/api/workers/{name}/resume", "/api/workers/w1/resume".into(), Value::Null),
        (
            "PUT",
            "/api/limits/{scope}/{name}",
            "/api/limits/kind/reconciliation".into(),
            json!({"jobs_max": 3}),
        ),
        ("DELETE", "/api/limits/{scope}/{name}", "/api/limits/kind/reconciliation".into(), Value::Null),
        ("DELETE", "/api/files/{id}", format!("/api/files/{spare}"), Value::Null),
        ("POST", "/api/notifications/test", "/api/notifications/test".into(), Value::Null),
        (
            "PUT",
            "/api/notifications/settings",
            "/api/notifications/settings".into(),
            json!({"time_zone": "Europe/Berlin"}),
        ),
        ("POST", "/api/alerts/{id}/acknowledge", format!("/api/alerts/{alert}/acknowledge"), Value::Null),
        ("POST", "/api/alerts/{id}/resolve", format!("/api/alerts/{alert}/resolve"), Value::Null),
        ("DELETE", "/api/mail-bounces/{address}", "/api/mail-bounces/Gone@example.org".into(), Value::Null),
        ("POST", "/api/webhooks", "/api/webhooks".into(), json!({"url": "https://hooks.example.org/x"})),
        (
            "POST",
            "/api/projects/{id}/webhooks",
            format!("/api/projects/{project_id}/webhooks"),
            json!({"url": "https://hooks.example.org/x", "events": ["job.dead"]}),
        ),
        ("PATCH", "/api/webhooks/{id}", format!("/api/webhooks/{webhook}"), json!({"description": "Ours"})),
        ("POST", "/api/webhooks/{id}/secret", format!("/api/webhooks/{webhook}/secret"), Value::Null),
        ("POST", "/api/webhooks/{id}/enable", format!("/api/webhooks/{webhook}/enable"), Value::Null),
        ("POST", "/api/webhooks/{id}/test", format!("/api/webhooks/{webhook}/test"), Value::Null),
        (
            "POST",
            "/api/webhooks/{id}/resend",
            format!("/api/webhooks/{webhook}/resend"),
            json!({"failed_since": "2026-01-01T00:00:00Z"}),
        ),
        ("DELETE", "/api/webhooks/{id}", format!("/api/webhooks/{webhook}"), Value::Null),
        ("POST", "/api/backups", "/api/backups".into(), json!({"kind": "full"})),
        ("POST", "/api/backups/{id}/verify", format!("/api/backups/{}/verify", recorded.backup), Value::Null),
        (
            "PUT",
            "/api/backups/{id}/protection",
            format!("/api/backups/{}/protection", recorded.backup),
            json!({"is_protected": true}),
        ),
        (
            "POST",
            "/api/backups/alerts/{id}/acknowledge",
            format!("/api/backups/alerts/{}/acknowledge", recorded.alert),
            Value::Null,
        ),
        (
            "POST",
            "/api/restores",
            "/api/restores".into(),
            json!({"mode": "drill", "backup_id": recorded.backup}),
        ),
        (
            "POST",
            "/api/jobs/bulk",
            "/api/jobs/bulk".into(),
            json!({"project_id": project_id, "action": "cancel", "batch_id": batch}),
        ),
        // The batch's one job is cancelled by now: the wish is the change.
        ("POST", "/api/batches/{id}/cancel", format!("/api/batches/{batch}/cancel"), Value::Null),
    ];
    let mut seen = BTreeSet::from([
        ("POST".to_owned(), "/api/files/upload".to_owned()),
        ("POST".to_owned(), "/api/reconciliation/jobs/{id}/review/decisions/{decision}/verdict".to_owned()),
    ]);
    for (method, route, path, body) in steps {
        let before = records(&server).await.len();
        let answer = send(jane, method, &path, body).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        let now = records(&server).await;
        assert_eq!(now.len(), before + 1, "{method} {route}");
        let agents = now.iter().filter(|record| record["by"]["request_id"] == answer.header("x-request-id"));
        let record = agents.collect::<Vec<_>>();
        assert_eq!(record.len(), 1, "{method} {route}");
        assert_eq!(record[0]["by"]["user_agent"], "a test");
        assert_eq!(record[0]["by"]["ip"], "127.0.0.1");
        assert!(record[0]["by"]["user_id"].is_string() || route == "/api/auth/register", "{method} {route}");
        seen.insert((method.to_owned(), route.to_owned()));
    }
    for (client, path, body) in [
        (jane, "/api/files/upload".to_owned(), None),
        (&ann, format!("{review}/decisions/{proposed}/verdict"), Some(json!({"verdict": "approved"}))),
    ] {
        let before = records(&server).await.len();
        match body {
            Some(body) => drop(client.post(&path, &body).await.expect(200)),
            None => {
                let parts = [field("project_id", project_id), file("file", "a.csv", "Id\n1\n")];
                client.post_form(&path, &parts).await.expect(201);
            }
        }
        assert_eq!(records(&server).await.len(), before + 1, "{path}");
    }
    // Whatever else the document lists only asks.
    let asks = [
        "/api/auth/refresh",
        "/api/auth/second-factor",
        "/api/files/{id}/dry-run",
        "/api/notifications/read",
        "/api/reconciliation/sample",
        "/api/reconciliation/jobs/{id}/review/bulk/preview",
        "/api/backups/retention/plan",
        "/api/auth/provider/start",
        // With the test of log-ins by a provider.
        "/api/auth/provider/finish",
    ];
    let document = server.client.get("/api/openapi.json").await.expect(200).json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys().map(|method| method.to_uppercase()) {
            let key = (method.clone(), path.clone());
            assert!(
                method == "GET"
                    || asks.contains(&path.as_str())
                    || seen.contains(&key)
                    || OF_ACCOUNTS.contains(&(method.as_str(), path.as_str())),
                "{method} {path} has no step above"
            );
        }
    }
    for (tenant, _) in server.store.audit_chains().await.expect("chains") {
        let state =
            server.store.verify_audit_chain(tenant, |_: &Checkpoint, _: &[u8]| None).await.expect("walked");
        assert_eq!(state.broken, None);
    }
}

#[tokio::test]
async fn logins_denials_and_exports_are_written_down_too() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    write_books(&server, id).await;
    let stranger = server.log_in_as("eve").await;
    let wrong = json!({"email": "jane@example.org", "password": "not this password"});
    server.client.post("/api/auth/login", &wrong).await.expect(401);
    stranger.get(&format!("/api/projects/{}", project.id)).await.expect(404);
    project.client.get(&format!("/api/reconciliation/jobs/{id}/exceptions.csv")).await.expect(200);
    project.client.get("/api/queues").await.expect(404);
    // Who may not even log in leaves no trace of a path.
    server.client.get(&format!("/api/projects/{}", project.id)).await.expect(401);

    let root = server.log_in_as_admin().await;
    let page = root.get("/api/audit?action=account.log_in_failed").await.expect(200).json();
    assert_eq!(page["items"][0]["by"]["name"], "jane@example.org");
    assert_eq!(page["items"].as_array().expect("items").len(), 1);
    let page = root.get("/api/audit?action=access.denied&limit=1").await.expect(200).json();
    assert_eq!(page["items"][0]["after"]["path"], "/api/queues");
    let next = page["next"].as_str().expect("a next page");
    let page = root.get(next).await.expect(200).json();
    assert_eq!(page["items"][0]["subject"]["id"], "/api/projects/{id}");
    assert_eq!(page["next"], Value::Null);
    project.client.get("/api/audit").await.expect(404);

    // Who it was is said as it was, and is looked for in any part and letter case.
    let path = format!("/api/projects/{}/audit", project.id);
    let who = async |text: &str| {
        let page = project.client.get(&format!("{path}?who={text}")).await.expect(200).json();
        page["items"].as_array().expect("items").len()
    };
    let all = who("JANE%40example").await;
    assert!(all > 3 && who("eve").await == 0 && who("%25").await == 0);
    let page = project.client.get(&format!("{path}?who=ane@ex&limit=1&action=reconciliation.submit")).await;
    let one = &page.expect(200).json()["items"][0];
    assert_eq!(one["by"]["email"], "jane@example.org");
    assert_eq!(one["account"]["name"], one["by"]["name"]);
    assert!(one["by"]["name"].is_string() && one["by"]["request_id"].is_string(), "{one}");
    let failed = root.get("/api/audit?who=JANE&action=account.log_in_failed").await.expect(200).json();
    assert_eq!(failed["items"].as_array().expect("items").len(), 1);
    let walked = project.client.get(&format!("{path}?who=jane&limit=1")).await.expect(200).json();
    assert!(walked["next"].as_str().expect("a next page").contains("who=jane&"), "{walked}");
    assert_eq!(project.client.get(&format!("{path}?who=")).await.mistakes().len(), 1);

    let page = project
        .client
        .get(&format!("{path}?subject_kind=reconciliation&subject_id={id}"))
        .await
        .expect(200)
        .json();
    let actions: Vec<_> =
        page["items"].as_array().expect("items").iter().map(|i| i["action"].clone()).collect();
    assert_eq!(actions, [json!("export.download"), json!("reconciliation.submit")]);
    assert_eq!(page["items"][1]["after"]["left_source_id"], project.left);
    stranger.get(&path).await.problem(404, "not_found");
    project.client.get(&format!("{path}?subject_id=x")).await.problem(422, "invalid");
    assert_eq!(project.client.get(&format!("{path}?after=0&from=x")).await.mistakes().len(), 2);
}

#[tokio::test]
async fn the_ends_of_the_chains_are_signed_with_the_key_of_the_api() {
    // The first round is when the API starts: one that starts on a database with records signs them.
    let first = Server::start().await;
    first.log_in_as("jane").await;
    // The first one may come to its first round only now, on a loaded machine: whoever signs an end first has signed it.
    let keys = [first.sign_again().await, first.signing_key()];
    eventually("a checkpoint", async || {
        !first.store.audit_checkpoints(Tenant::SYSTEM).await.expect("asked").is_empty()
    })
    .await;
    let is_signed = |checkpoint: &Checkpoint, bytes: &[u8]| {
        keys.iter().find_map(|key| key.has_signed(&checkpoint.key_id, bytes, &checkpoint.signature))
    };
    let state = first.store.verify_audit_chain(Tenant::SYSTEM, is_signed).await.expect("walked");
    assert!(state.broken.is_none() && state.checkpoints >= 1, "{state:?}");
}
