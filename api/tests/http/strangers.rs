//! Every route that the document lists, as nobody, as a stranger, and with ids that nobody has.

use crate::client::{Answer, Client, empty, field, file, full};
use crate::server::{Project, Server, mapping};
use axum::http::Method;
use serde_json::{Value, json};
use shared::ids::JobId;

/// The things a request may name.
#[derive(Clone)]
pub struct Ids {
    pub project: String,
    pub job: String,
    pub batch: String,
    pub source: String,
    pub right_source: String,
    pub file: String,
    pub schedule: String,
    pub decision: String,
    pub webhook: String,
    pub alert: String,
    pub backup: String,
    pub backup_alert: String,
    pub restore: String,
}

/// One request to an operation of the document, about these things.
pub async fn ask(client: &Client, method: &str, path: &str, operation: &Value, ids: &Ids) -> Answer {
    let id = match path {
        path if path.starts_with("/api/projects/{id}") => &ids.project,
        // Of the caller's own, which has no such session.
        "/api/auth/sessions/{id}" => &ids.job,
        // An account that nobody has.
        path if path.starts_with("/api/users/{id}") => &ids.job,
        path if path.starts_with("/api/schedules/{id}") => &ids.schedule,
        "/api/data-sources/{id}" => &ids.source,
        path if path.starts_with("/api/files/{id}") => &ids.file,
        path if path.starts_with("/api/reconciliation/jobs/{id}") => &ids.job,
        path if path.starts_with("/api/jobs/{id}") => &ids.job,
        path if path.starts_with("/api/batches/{id}") => &ids.batch,
        path if path.starts_with("/api/webhooks/{id}") => &ids.webhook,
        path if path.starts_with("/api/alerts/{id}") => &ids.alert,
        path if path.starts_with("/api/backups/alerts/{id}") => &ids.backup_alert,
        path if path.starts_with("/api/backups/{id}") => &ids.backup,
        path if path.starts_with("/api/restores/{id}") => &ids.restore,
        path => {
            assert!(!path.contains("{id}"), "say here what the id in {path} is");
            ""
        }
    };
    // People, keys and invitations that nobody has.
    let mut address = path.replace("{id}", id).replace("{queue}", "reconciliation");
    for below in ["{user_id}", "{key_id}", "{invitation_id}"] {
        address = address.replace(below, &ids.job);
    }
    address = address.replace("{scope}", "kind").replace("{name}", "reconciliation");
    address = address.replace("{number}", "1").replace("{decision}", &ids.decision);
    address = address.replace("{address}", "nobody@example.org");
    address = address.replace("{code}", "fee").replace("{currency}", "EUR");
    let parameters = operation["parameters"].as_array().map_or(&[] as &[_], Vec::as_slice);
    if parameters.iter().any(|p| p["name"] == "project_id") {
        address = format!("{address}?project_id={}", ids.project);
    }
    if path.ends_with("/review/open-records") {
        address.push_str("?side=left&begins=x");
    }
    if path == "/api/schedules/preview" {
        address.push_str("?cron=0%202%20*%20*%20*&time_zone=UTC");
    }
    if path == "/api/files/upload" {
        let parts = [field("project_id", &ids.project), file("file", "a.csv", "Id\n1\n")];
        return client.post_form(&address, &parts).await;
    }
    let body = match (method, path) {
        ("POST", "/api/projects") => json!({"name": "Mine"}),
        ("POST", "/api/backups") => json!({"kind": "full"}),
        ("PUT", "/api/backups/{id}/protection") => json!({"is_protected": true}),
        ("POST", "/api/backups/retention/plan") => json!({"days": 30}),
        ("POST", "/api/restores") => json!({"mode": "drill", "backup_id": ids.backup}),
        ("POST", "/api/queues/{queue}/pause") => json!({"reason": "a test"}),
        ("PUT", "/api/limits/{scope}/{name}") => json!({"jobs_max": 3}),
        ("POST", "/api/data-sources") => json!({
            "project_id": ids.project, "file_id": ids.file, "name": "x", "mapping": mapping("description", "Text"),
        }),
        ("POST", "/api/files/{id}/dry-run") => json!({"mapping": mapping("description", "Text")}),
        ("POST", "/api/reconciliation/sample") => json!({
            "project_id": ids.project, "left_source_id": ids.source, "right_source_id": ids.right_source,
        }),
        ("POST", "/api/reconciliation/jobs") => json!({
            "project_id": ids.project, "left_source_id": ids.source, "right_source_id": ids.job,
        }),
        ("POST", "/api/batches") => json!({
            "project_id": ids.project, "name": "x",
            "reconciliations": [{"left_source_id": ids.source, "right_source_id": ids.job}],
        }),
        ("POST", "/api/jobs/bulk") => json!({"project_id": ids.project, "action": "retry_now"}),
        ("POST", "/api/projects/{id}/schedules") => json!({
            "name": "x", "kind": "reconciliation", "cron": "0 2 * * *", "time_zone": "UTC",
            "args": {"left_source_id": ids.source, "right_source_id": ids.right_source},
        }),
        ("POST", "/api/schedules") => {
            json!({"name": "x", "kind": "clean_up", "cron": "0 2 * * *", "time_zone": "UTC"})
        }
        ("POST", "/api/organisations") => json!({"name": "Ours"}),
        ("POST", "/api/auth/password") => {
            json!({"current_password": "x", "new_password": "another long password"})
        }
        ("POST", "/api/auth/second-factor") => json!({"password": "x"}),
        ("POST", "/api/auth/second-factor/confirm") => json!({"code": "000000"}),
        ("POST", "/api/auth/second-factor/remove") => json!({"password": "x", "code": "000000"}),
        ("POST", "/api/auth/invitations/accept") => json!({"token": "cfi_x"}),
        ("POST", "/api/projects/{id}/invitations") => json!({"role": "viewer"}),
        ("POST", "/api/projects/{id}/api-keys") => json!({"name": "x", "role": "viewer"}),
        ("PUT", "/api/projects/{id}/members/{user_id}") => json!({"role": "viewer"}),
        ("POST", "/api/reconciliation/jobs/{id}/review/decisions") => {
            json!({"action": "comment", "match": 1, "comment": "Looks right"})
        }
        ("POST", "/api/reconciliation/jobs/{id}/review/decisions/{decision}/verdict") => {
            json!({"verdict": "approved"})
        }
        ("POST", "/api/reconciliation/jobs/{id}/review/bulk/preview") => json!({"exceptions": {}}),
        ("POST", "/api/reconciliation/jobs/{id}/review/bulk") => {
            json!({"action": "assign", "filter": {"exceptions": {}}, "token": "0".repeat(32)})
        }
        ("PUT", "/api/projects/{id}/review/reasons/{code}") => json!({"label": "Fee"}),
        ("PUT", "/api/projects/{id}/review/limits/{currency}") => json!({"amount": "1000"}),
        ("POST", "/api/webhooks" | "/api/projects/{id}/webhooks") => {
            json!({"url": "https://hooks.example.org/x"})
        }
        ("PATCH", "/api/webhooks/{id}") => json!({"description": "theirs"}),
        ("POST", "/api/webhooks/{id}/resend") => json!({"deliveries": [ids.job]}),
        ("POST", "/api/notifications/read") => json!({"ids": [ids.job]}),
        ("PUT", "/api/notifications/settings") => json!({"time_zone": "Europe/Berlin"}),
        ("PATCH", "/api/schedules/{id}") => json!({"version": 1, "priority": 2}),
        (_, path) => {
            assert!(operation.get("requestBody").is_none(), "say here what to send to {method} {path}");
            Value::Null
        }
    };
    let method: Method = method.parse().expect("a method");
    let request = client.request(method, &address);
    if body.is_null() {
        client.send(request, empty()).await
    } else {
        client.send(request.header("content-type", "application/json"), full(body.to_string())).await
    }
}

/// `(method, path, operation)` of everything in the document that wants a token.
pub async fn guarded(server: &Server) -> Vec<(String, String, Value)> {
    let document = server.client.get("/api/openapi.json").await.expect(200).json();
    let mut found = vec![];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            if operation.get("security").is_some() {
                found.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    assert!(found.len() >= 20, "{}", found.len());
    found
}

pub async fn ids_of(server: &Server, project: &Project) -> Ids {
    let job = project.submit().await;
    let batch = crate::batches::submit(project, 1).await;
    let source =
        server.store.data_source(project.left.parse().expect("an id")).await.expect("asked").expect("there");
    let recorded = crate::backups::record(&server.store).await;
    Ids {
        backup: recorded.backup,
        backup_alert: recorded.alert,
        restore: recorded.restore,
        project: project.id.clone(),
        job: job.to_string(),
        batch,
        source: project.left.clone(),
        right_source: project.right.clone(),
        schedule: project.schedule().await,
        decision: JobId::new().to_string(),
        webhook: webhook_of(project).await,
        alert: alert_of(server, project).await,
        file: source.file_id.to_string(),
    }
}

pub async fn webhook_of(project: &Project) -> String {
    let path = format!("/api/projects/{}/webhooks", project.id);
    let there = project.client.get(&path).await.expect(200).json();
    if let Some(id) = there["items"][0]["id"].as_str() {
        return id.to_owned();
    }
    let made = project.client.post(&path, &json!({"url": "https://hooks.example.org/x"})).await;
    made.expect(201).json()["webhook"]["id"].as_str().expect("an id").to_owned()
}

/// As the notifier opens one.
pub async fn alert_of(server: &Server, project: &Project) -> String {
    let id = JobId::new();
    sqlx::query(
        "INSERT INTO alerts (id, project_id, event, severity, says, condition)
         VALUES ($1, $2::uuid, 'webhook.disabled', 'warning', 'It is off', $1::text)",
    )
    .bind(id)
    .bind(project.id.parse::<uuid::Uuid>().expect("an id"))
    .execute(server.store.pool())
    .await
    .expect("an alert");
    id.to_string()
}

#[tokio::test]
async fn nobody_gets_anything_without_a_token() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let ids = ids_of(&server, &project).await;
    for (method, path, operation) in guarded(&server).await {
        let answer = ask(&server.client, &method, &path, &operation, &ids).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        answer.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn strangers_cannot_tell_what_exists() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let theirs = ids_of(&server, &project).await;
    let stranger = server.log_in_as("eve").await;
    let unknown = || JobId::new().to_string();
    let nobodys = Ids {
        project: unknown(),
        job: unknown(),
        batch: unknown(),
        source: unknown(),
        right_source: unknown(),
        file: unknown(),
        schedule: unknown(),
        decision: unknown(),
        webhook: unknown(),
        alert: unknown(),
        backup: unknown(),
        backup_alert: unknown(),
        restore: unknown(),
    };
    let rows = "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM data_sources) + (SELECT count(*) FROM jobs)
        + (SELECT sum(version) FROM schedules)";
    let before = server.count(rows).await;
    for (method, path, operation) in guarded(&server).await {
        // What concerns nobody but the caller has tests of its own.
        if matches!(operation["x-policy"]["who"].as_str(), Some("caller" | "person")) {
            continue;
        }
        let answer = ask(&stranger, &method, &path, &operation, &theirs).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
        // Word for word what is said about ids that nobody has.
        let told = |answer: Answer| {
            let mut problem = answer.problem(404, "not_found");
            for member in ["request_id", "trace_id", "instance"] {
                problem[member] = Value::Null;
            }
            problem
        };
        let unknown = ask(&stranger, &method, &path, &operation, &nobodys).await;
        assert_eq!(told(answer), told(unknown), "{method} {path}");
    }
    assert_eq!(server.count(rows).await, before);
    assert_eq!(stranger.get("/api/projects").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn the_owner_gets_an_answer_from_every_route() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut ids = ids_of(&server, &project).await;
    // What belongs to the system answers its administrators.
    server.promote("jane").await;
    crate::review::write_books(&server, ids.job.parse().expect("an id")).await;
    let decisions = format!("/api/reconciliation/jobs/{}/review/decisions", ids.job);
    let body = json!({"action": "accept", "match": 2});
    let decided = project.client.post(&decisions, &body).await.expect(201).json();
    ids.decision = crate::server::id_of(&decided).to_owned();
    let document = server.client.get("/api/openapi.json").await.expect(200).json();
    for (method, path, operation) in guarded(&server).await {
        // Administration is nobody's who owns but one project.
        if method == "DELETE" || operation["tags"][0] == "administration" {
            continue;
        }
        // Nor is there anybody else in the project, or a password in the request.
        if path.contains("{user_id}") || path.starts_with("/api/auth/") {
            continue;
        }
        let answer = ask(&project.client, &method, &path, &operation, &ids).await;
        let documented =
            &document["paths"][&path][method.to_lowercase()]["responses"][answer.status.to_string()];
        // Only what is documented is ever answered.
        assert!(documented.is_object(), "{method} {path}: {} {}", answer.status, answer.text());
        let in_the_way = matches!(
            path.as_str(),
            "/api/reconciliation/jobs"
                | "/api/reconciliation/jobs/{id}/cancel"
                | "/api/batches"
                | "/api/jobs/{id}/cancel"
                | "/api/jobs/{id}/redrive"
                | "/api/jobs/{id}/retry-now"
                | "/api/reconciliation/jobs/{id}/review/bulk"
                | "/api/reconciliation/jobs/{id}/review/decisions/{decision}/verdict"
        );
        assert!(
            answer.status < 300 || (method == "POST" && in_the_way),
            "{method} {path}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn no_id_is_not_found_like_an_unknown_one() {
    let server = Server::start().await;
    let jane = server.log_in_as("jane").await;
    for path in [
        "/api/projects/7",
        "/api/data-sources/x",
        "/api/reconciliation/jobs/%00",
        "/api/reconciliation/jobs/x/results",
    ] {
        jane.get(path).await.problem(404, "not_found");
    }
}
