//! Submitting a run that continues another.

use crate::outcome::{Outcome, exception, matched};
use crate::server::{BANK, Project, Server, job_path, mapping};
use serde_json::{Value, json};
use shared::ids::JobId;
use shared::store::open_items::{self, OpenItemsSummary};
use shared::store::results::FirstSeen;

async fn submit(project: &Project, continues: JobId) -> crate::client::Answer {
    let mut body = project.submission();
    body["continues"] = json!(continues.to_string());
    project.client.post("/api/reconciliation/jobs", &body).await
}

fn id_in(answer: &Value) -> JobId {
    answer["id"].as_str().expect("an id").parse().expect("a UUID")
}

/// Completes the job as this version does.
pub async fn complete(server: &Server, id: JobId, outcome: Outcome) {
    outcome.write(&server.store, id).await;
    let mut conn = server.store.pool().acquire().await.expect("a connection");
    let items = OpenItemsSummary { carried_in: 7, ..Default::default() };
    open_items::complete(&mut conn, id, &items).await.expect("written");
}

#[tokio::test]
async fn a_completed_run_is_continued_once() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let first = project.submit().await;
    submit(&project, first).await.problem(409, "conflict");
    complete(&server, first, Outcome::default()).await;
    let second = id_in(&submit(&project, first).await.expect(202).json());
    let shown = project.client.get(&job_path(second, "")).await.expect(200).json();
    assert_eq!(shown["continues"], json!(first.to_string()));
    assert_eq!((&shown["chain_id"], &shown["chain_position"]), (&json!(first.to_string()), &json!(2)));

    let problem = submit(&project, first).await.problem(409, "conflict");
    assert!(problem["detail"].as_str().expect("text").contains(&second.to_string()), "{problem}");
    project.client.delete(&job_path(first, "")).await.problem(409, "conflict");
    // A continuation that came to nothing is none.
    project.client.post(&job_path(second, "/cancel"), &json!({})).await.expect(202);
    let third = id_in(&submit(&project, first).await.expect(202).json());
    let shown = project.client.get(&job_path(third, "")).await.expect(200).json();
    assert_eq!(shown["chain_position"], 2);
    for id in [first, third] {
        let chain = project.client.get(&job_path(id, "/chain")).await.expect(200).json();
        let runs = chain["items"].as_array().expect("runs");
        let seen: Vec<_> = runs.iter().map(|run| (&run["position"], &run["id"], &run["state"])).collect();
        let run = |position, id: JobId, state| (json!(position), json!(id.to_string()), json!(state));
        let known = [run(1, first, "completed"), run(2, second, "cancelled"), run(2, third, "available")];
        assert_eq!(seen, known.each_ref().map(|(position, id, state)| (position, id, state)), "{chain}");
    }
}

#[tokio::test]
async fn a_dashboard_counts_each_record_once() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let dashboard = async || {
        let path = format!("/api/analytics/dashboard?project_id={}", project.id);
        let seen = project.client.get(&path).await.expect(200).json();
        let names = ["records", "matched_records", "matches", "exceptions", "repeated_runs"];
        let figures = names.map(|name| seen[name].as_i64().expect("a number"));
        (figures, seen["exceptions_by_kind"].clone())
    };
    let outcome = |matches: i32, exceptions: i32| Outcome {
        matches: (0..matches).map(|n| matched(n, 900_000)).collect(),
        exceptions: (0..exceptions).map(|n| exception(n, "missing_right")).collect(),
        rejected: vec![],
    };
    // The same two files twice, the second time uploaded anew: the newest counts.
    complete(&server, project.submit().await, outcome(1, 8)).await;
    let mut again = project.submission();
    let bank = project.add_source("again.csv", BANK, mapping("description", "Text")).await;
    again["left_source_id"] = json!(bank);
    let started = project.client.post("/api/reconciliation/jobs", &again).await.expect(202).json();
    complete(&server, id_in(&started), outcome(2, 7)).await;
    assert_eq!(dashboard().await, ([11, 4, 2, 7, 1], json!({"missing_right": 7})));

    // A chain goes on from it: 7 of its records come along, and count in the run that has them last.
    let february =
        project.add_source("feb.csv", &BANK.replace("B1", "B7"), mapping("description", "Text")).await;
    let mut next = project.submission();
    next["left_source_id"] = json!(february);
    next["continues"] = started["id"].clone();
    let next = project.client.post("/api/reconciliation/jobs", &next).await.expect(202).json();
    complete(&server, id_in(&next), outcome(3, 4)).await;
    assert_eq!(dashboard().await, ([4 + 10, 4 + 6, 2 + 3, 4, 1], json!({"missing_right": 4})));
}

#[tokio::test]
async fn what_cannot_be_continued_is_said() {
    let server = Server::start().await;
    let (project, other) = (Project::make(&server, "jane").await, Project::make(&server, "joe").await);
    let foreign = other.submit().await;
    complete(&server, foreign, Outcome::default()).await;
    let mistake = |place: &str, code: &str| vec![(place.to_owned(), code.to_owned())];
    for unknown in [JobId::new(), foreign] {
        assert_eq!(submit(&project, unknown).await.mistakes(), mistake("#/continues", "unknown"));
    }
    // Completed by a version that kept no open items.
    let old = project.submit().await;
    Outcome::default().write(&server.store, old).await;
    submit(&project, old).await.problem(409, "conflict");

    // Line numbers are no ids.
    let first = project.submit().await;
    complete(&server, first, Outcome::default()).await;
    let mut no_ids = mapping("description", "Text");
    no_ids.as_object_mut().expect("an object").remove("id");
    let mut body = project.submission();
    body["left_source_id"] = json!(project.add_source("bank.csv", BANK, no_ids.clone()).await);
    let started = project.client.post("/api/reconciliation/jobs", &body).await.expect(202).json();
    complete(&server, id_in(&started), Outcome::default()).await;
    body["continues"] = json!(first.to_string());
    let refused = project.client.post("/api/reconciliation/jobs", &body).await;
    assert_eq!(refused.mistakes(), mistake("#/left_source_id", "no_ids"));
    assert_eq!(submit(&project, id_in(&started)).await.mistakes(), mistake("#/continues", "no_ids"));
}

#[tokio::test]
async fn results_name_what_they_are_and_since_when_it_is_open() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let mut open = exception(0, "missing_right");
    let on = chrono::NaiveDate::from_ymd_opt(2026, 1, 5).expect("a day");
    open.record.first_seen = Some(FirstSeen { run: 3, job_id: id, on });
    let known = exception(1, "already_matched");
    complete(
        &server,
        id,
        Outcome { matches: vec![matched(0, 1_000_000)], exceptions: vec![open, known], rejected: vec![] },
    )
    .await;

    let page = project.client.get(&job_path(id, "/exceptions")).await.expect(200).json();
    let first = &page["items"][0];
    assert_eq!(
        first["record"]["first_seen"],
        json!({"run": 3, "job_id": id.to_string(), "on": "2026-01-05"})
    );
    let kind = project.client.get(&job_path(id, "/exceptions?kind=already_matched")).await.expect(200).json();
    assert_eq!(kind["items"].as_array().expect("items").len(), 1);
    let matches = project.client.get(&job_path(id, "/results")).await.expect(200).json();
    let summary = project.client.get(&job_path(id, "/summary")).await.expect(200).json();
    assert_eq!(summary["open_items"]["carried_in"], 7);

    let lines = async |below: &str| -> Vec<Value> {
        let answer = project.client.get(&job_path(id, below)).await.expect(200);
        assert!(answer.header("content-type").starts_with("application/x-ndjson"), "{below}");
        answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let written = lines("/exceptions.jsonl").await;
    assert_eq!((written.len(), &written[0]["id"], &written[0]["first_run"]), (2, &first["id"], &json!(3)));
    let written = lines("/results.jsonl").await;
    assert_eq!((written.len(), &written[0]["id"]), (1, &matches["items"][0]["id"]));
    assert!(lines("/rejected-lines.jsonl").await.is_empty());

    let book = project.client.get(&job_path(id, "/results.xlsx")).await.expect(200);
    assert!(book.header("content-disposition").ends_with(".xlsx\""));
    assert!(book.body.starts_with(b"PK\x03\x04"), "a workbook");
}
