//! From nothing to a result, as a client goes.

use crate::outcome::{Outcome, exception, matched, rejected};
use crate::server::{Project, Server, job_path};
use serde_json::{Value, json};
use sqlx::Row;
use std::time::Duration;

#[tokio::test]
async fn a_submission_makes_job_doorbell_and_reconciliation_together() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut submission = project.submission();
    submission["name"] = json!("January");
    submission["confidence_threshold"] = json!(0.75);
    submission["priority"] = json!(8);
    let request = project
        .client
        .request(axum::http::Method::POST, "/api/reconciliation/jobs")
        .header("content-type", "application/json; charset=utf-8")
        .header("x-request-id", "my-request.1");
    let answer = project.client.send(request, crate::client::full(submission.to_string())).await.expect(202);
    assert_eq!(answer.header("x-request-id"), "my-request.1");
    let submitted = answer.json();
    let id: shared::ids::JobId = submitted["id"].as_str().expect("an id").parse().expect("an id");
    assert_eq!(answer.header("location"), job_path(id, ""));
    for (name, below) in [
        ("status_url", ""),
        ("events_url", "/events"),
        ("results_url", "/results"),
        ("exceptions_url", "/exceptions"),
        ("summary_url", "/summary"),
    ] {
        assert_eq!(submitted[name], job_path(id, below), "{name}");
    }
    // The relay was woken.
    tokio::time::timeout(Duration::from_secs(5), server.relay_wake.notified()).await.expect("woken");

    let row = sqlx::query(
        "SELECT j.kind, j.queue, j.state::text, j.priority, j.args, j.attempts_max, j.request_id,
                j.xmin::text = r.xmin::text AND j.xmin::text = o.xmin::text AS together, r.name, r.rules
         FROM jobs j JOIN outbox o ON o.job_id = j.id JOIN reconciliations r ON r.job_id = j.id WHERE j.id = $1",
    )
    .bind(id)
    .fetch_one(server.store.pool())
    .await
    .expect("one job with one doorbell and one reconciliation");
    assert_eq!(row.get::<&str, _>("kind"), "reconciliation");
    assert_eq!(row.get::<&str, _>("queue"), "reconciliation");
    assert_eq!(row.get::<&str, _>("state"), "available");
    assert_eq!(row.get::<i16, _>("priority"), 8);
    assert_eq!(row.get::<Value, _>("args"), json!({"v": 1}));
    assert_eq!(row.get::<i32, _>("attempts_max"), 5);
    assert_eq!(row.get::<&str, _>("request_id"), "my-request.1");
    assert!(row.get::<bool, _>("together"), "written by one transaction");
    assert_eq!(row.get::<&str, _>("name"), "January");
    let rules: matching::RuleSet = serde_json::from_value(row.get("rules")).expect("a rule set");
    assert_eq!(rules.threshold, 0.75);
    let (left, right) = (["description".to_owned()], ["reference".to_owned()]);
    assert_eq!(rules.passes, matching::RuleSet::standard_for(&left, &right).passes);
}

#[tokio::test]
async fn a_job_is_shown_from_its_submission_to_its_summary() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let shown = project.client.get(&job_path(id, "")).await.expect(200).json();
    assert_eq!(
        (&shown["state"], &shown["attempt"], &shown["attempts"]),
        (&json!("available"), &json!(0), &json!([]))
    );
    assert_eq!((&shown["name"], &shown["summary"]), (&json!("bank.csv / ledger.csv"), &json!(null)));
    assert_eq!(shown["left_source_id"], project.left.as_str());
    for below in [
        "/results",
        "/exceptions",
        "/rejected-lines",
        "/summary",
        "/results.csv",
        "/exceptions.csv",
        "/rejected-lines.csv",
    ] {
        project.client.get(&job_path(id, below)).await.problem(409, "not_finished");
    }

    let outcome = Outcome {
        matches: vec![matched(0, 1_000_000), matched(1, 400_000)],
        exceptions: vec![exception(0, "missing_right")],
        rejected: vec![rejected(0)],
    };
    outcome.write(&server.store, id).await;
    let shown = project.client.get(&job_path(id, "")).await.expect(200).json();
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("completed"), &json!(1)));
    assert_eq!(shown["attempts"][0]["outcome"], "completed");
    assert_eq!(shown["attempts"][0]["worker"], "worker-1");
    assert!(shown["finished_at"].is_string());
    let summary = project.client.get(&job_path(id, "/summary")).await.expect(200).json();
    assert_eq!(summary, shown["summary"]);
    assert_eq!(
        (&summary["matches"], &summary["suggested"], &summary["exceptions"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(summary["exceptions_by_kind"], json!({"missing_right": 1}));
    assert_eq!(summary["balance"][0]["residual"], "0.00");

    let dashboard = format!("/api/analytics/dashboard?project_id={}", project.id);
    let dashboard = project.client.get(&dashboard).await.expect(200).json();
    assert_eq!(dashboard["jobs_by_state"], json!({"completed": 1}));
    assert_eq!(
        (&dashboard["records"], &dashboard["matched_records"], &dashboard["matched_share"]),
        (&json!(5), &json!(4), &json!(0.8))
    );
    assert_eq!(dashboard["exceptions_by_kind"], json!({"missing_right": 1}));
    assert_eq!(dashboard["rejected_lines"], 1);
    assert_eq!(dashboard["recent"][0]["id"], id.to_string());
    assert_eq!(dashboard["recent"][0]["matches"], 2);
}

#[tokio::test]
async fn a_dashboard_of_an_empty_project_has_no_share() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let dashboard = format!("/api/analytics/dashboard?project_id={}", project.id);
    let dashboard = project.client.get(&dashboard).await.expect(200).json();
    assert_eq!((&dashboard["records"], &dashboard["matched_share"]), (&json!(0), &json!(null)));
    assert_eq!(dashboard["recent"], json!([]));
}

#[tokio::test]
async fn lists_go_by_key_and_state() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut ids = vec![];
    for _ in 0..5 {
        ids.insert(0, project.submit().await.to_string());
    }
    server.store.request_cancel(ids[1].parse().expect("an id")).await.expect("cancelled");

    let list = async |rest: &str| {
        let mut found = vec![];
        let mut next = Some(format!("/api/reconciliation/jobs?project_id={}{rest}", project.id));
        while let Some(path) = next {
            let page = project.client.get(&path).await.expect(200).json();
            found.extend(
                page["items"]
                    .as_array()
                    .expect("items")
                    .iter()
                    .map(|j| j["id"].as_str().expect("an id").to_owned()),
            );
            next = page["next"].as_str().map(str::to_owned);
        }
        found
    };
    assert_eq!(list("&limit=2").await, ids);
    assert_eq!(list("&state=cancelled").await, ids[1..2]);
    let mut waiting = ids.clone();
    waiting.remove(1);
    assert_eq!(list("&state=available&limit=1").await, waiting);
    assert_eq!(list("&state=dead").await, Vec::<String>::new());
}
