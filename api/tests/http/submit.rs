//! What a submission may not be: all of it said at once, nothing of it stored.

use crate::server::{BANK, Project, Server, mapping};
use serde_json::{Value, json};

async fn refused(project: &Project, body: Value) -> Vec<(String, String)> {
    project.client.post("/api/reconciliation/jobs", &body).await.mistakes()
}

fn expected<const N: usize>(mistakes: [(&str, &str); N]) -> Vec<(String, String)> {
    mistakes.map(|(place, code)| (place.to_owned(), code.to_owned())).to_vec()
}

#[tokio::test]
async fn shape_and_meaning_are_checked_together() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let body = json!({
        "project_id": project.id, "left_source_id": project.left, "right_source_id": project.left,
        "name": "", "confidence_threshold": 1.5, "priority": 10, "rulse": {},
        "rules": {"version": 2, "pass": [{"name": "p", "key": [{"left": "reference", "right": "nothing"}]}]},
    });
    let mistakes = refused(&project, body).await;
    let wanted = expected([
        ("#/confidence_threshold", "range"),
        ("#/name", "too_short"),
        ("#/priority", "range"),
        ("#/right_source_id", "same_source"),
        ("#/rules/pass/0/key/0/left", "rule"),
        ("#/rules/pass/0/key/0/right", "rule"),
        ("#/rules/version", "rule"),
        ("#/rulse", "unknown_field"),
    ]);
    assert_eq!(mistakes, wanted);
    assert_eq!(server.count("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM outbox)").await, 0);
}

#[tokio::test]
async fn rules_are_held_against_the_fields_of_both_sides() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let rules = |left: &str, right: &str| json!({"version": 1, "pass": [{"name": "p", "key": [{"left": left, "right": right}]}]});
    let mut body = project.submission();
    body["rules"] = rules("reference", "description");
    let mistakes = refused(&project, body.clone()).await;
    assert_eq!(
        mistakes,
        expected([("#/rules/pass/0/key/0/left", "rule"), ("#/rules/pass/0/key/0/right", "rule")])
    );
    body["rules"] = rules("description", "reference");
    project.client.post("/api/reconciliation/jobs", &body).await.expect(202);
    body["rules"] = rules("id", "id");
    project.client.post("/api/reconciliation/jobs", &body).await.expect(202);
    // One side is unknown: the other is still looked at.
    body["rules"] = rules("reference", "whatever");
    body["right_source_id"] = json!("01900000-0000-7000-8000-000000000000");
    let mistakes = refused(&project, body).await;
    assert_eq!(mistakes, expected([("#/right_source_id", "unknown"), ("#/rules/pass/0/key/0/left", "rule")]));
}

#[tokio::test]
async fn a_preset_runs_with_the_fields_that_are_there() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut body = project.submission();
    body["preset"] = json!("bank-to-ledger");
    let submitted = project.client.post("/api/reconciliation/jobs", &body).await;
    let submitted = submitted.expect(202).json();
    let dropped = submitted["dropped_passes"].as_array().unwrap();
    assert!(
        dropped.iter().any(|says| says.as_str().unwrap().contains("right side has no field batch")),
        "{dropped:?}"
    );
    let rules = server.count("SELECT jsonb_array_length(rules -> 'pass')::bigint FROM reconciliations").await;
    let whole = matching::Preset::BankToLedger.rules().passes.len();
    assert_eq!(rules as usize + dropped.len(), whole);

    body["rules"] = json!({"version": 1, "pass": [{"name": "p", "date": {"window_days": 1}}]});
    assert_eq!(refused(&project, body.clone()).await, expected([("#/preset", "exclusive")]));
    body.as_object_mut().unwrap().remove("rules");
    body["rate"] = json!([{"from": "USD", "to": "EUR", "date": "2026-02-30", "rate": "0"}]);
    let wanted = expected([("#/rate/0/date", "rule"), ("#/rate/0/rate", "rule")]);
    assert_eq!(refused(&project, body.clone()).await, wanted);
    body.as_object_mut().unwrap().remove("preset");
    assert_eq!(refused(&project, body.clone()).await, expected([("#/rate", "without_preset")]));
    body["preset"] = json!("card-payouts-to-orders");
    body.as_object_mut().unwrap().remove("rate");
    let plain = project.add_source("plain.csv", BANK, mapping("note", "Text")).await;
    body["left_source_id"] = json!(plain);
    assert_eq!(refused(&project, body).await, expected([("#/preset", "fields")]));
}

#[tokio::test]
async fn sources_of_another_project_are_unknown() {
    let server = Server::start().await;
    let (project, other) = (Project::make(&server, "jane").await, Project::make(&server, "john").await);
    let mut body = project.submission();
    body["right_source_id"] = json!(other.right);
    assert_eq!(refused(&project, body).await, expected([("#/right_source_id", "unknown")]));
}

#[tokio::test]
async fn the_shape_alone_is_said_when_no_project_is_named() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let wanted = expected([
        ("#/left_source_id", "missing"),
        ("#/project_id", "missing"),
        ("#/right_source_id", "format"),
        ("#/rules/pass/0", "type"),
        ("#/rules/version", "missing"),
    ]);
    let body = json!({"project_id": null, "right_source_id": "x", "rules": {"pass": [1]}});
    assert_eq!(refused(&project, body).await, wanted);
    assert_eq!(refused(&project, json!([])).await, expected([("#", "type")]));
}

#[tokio::test]
async fn characters_that_cannot_be_stored_are_refused_wherever_they_are() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut body = project.submission();
    body["rules"] =
        json!({"version": 1, "name": "a\u{0}b", "pass": [{"name": "p", "date": {"window_days": 1}}]});
    let mistakes = refused(&project, body).await;
    assert!(mistakes.contains(&("#/rules/name".to_owned(), "zero_character".to_owned())), "{mistakes:?}");
}

#[tokio::test]
async fn sides_without_common_fields_still_get_rules() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let plain = project.add_source("plain.csv", BANK, mapping("note", "Text")).await;
    let mut body = project.submission();
    body["left_source_id"] = json!(plain);
    project.client.post("/api/reconciliation/jobs", &body).await.expect(202);
}

/// Not a benchmark: it only notices when a submission begins to take many round trips.
#[tokio::test]
async fn submissions_are_quick() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut took = vec![];
    for _ in 0..50 {
        let started_at = std::time::Instant::now();
        project.submit().await;
        took.push(started_at.elapsed());
    }
    took.sort();
    println!("p50 {:?}, p95 {:?}", took[25], took[47]);
    // The aim is 20 ms for 95 of 100; the machine of a test run is shared, so the median has ten times that.
    assert!(took[25].as_millis() < 200, "{took:?}");
}
