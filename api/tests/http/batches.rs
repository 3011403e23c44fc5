//! Many reconciliations accepted together.

use crate::server::{Project, Server, id_of};
use serde_json::{Value, json};
use shared::ids::JobId;

fn body(project: &Project, count: usize) -> Value {
    let one = json!({"left_source_id": project.left, "right_source_id": project.right});
    json!({"project_id": project.id, "name": "January", "reconciliations": vec![one; count]})
}

/// Returns the batch's id.
pub async fn submit(project: &Project, count: usize) -> String {
    let answer = project.client.post("/api/batches", &body(project, count)).await.expect(202).json();
    id_of(&answer).to_owned()
}

#[tokio::test]
async fn a_batch_is_accepted_watched_and_cancelled_whole() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let answer = project.client.post("/api/batches", &body(&project, 3)).await.expect(202);
    let submitted = answer.json();
    let address = answer.header("location").to_owned();
    assert_eq!(submitted["status_url"], address);
    let ids: Vec<JobId> = submitted["job_ids"]
        .as_array()
        .expect("ids")
        .iter()
        .map(|id| id.as_str().expect("an id").parse().expect("an id"))
        .collect();
    assert_eq!(ids.len(), 3);
    for id in &ids {
        project.client.get(&crate::server::job_path(*id, "")).await.expect(200);
    }
    let jobs =
        project.client.get(submitted["jobs_url"].as_str().expect("an address")).await.expect(200).json();
    assert_eq!(jobs["items"].as_array().expect("items").len(), 3);
    let batch = project.client.get(&address).await.expect(200).json();
    assert_eq!(
        (&batch["jobs"], &batch["available"], &batch["finished_at"]),
        (&json!(3), &json!(3), &Value::Null)
    );

    let cancelled = project.client.post(&format!("{address}/cancel"), &Value::Null).await.expect(202).json();
    assert_eq!((&cancelled["cancelled"], &cancelled["available"]), (&json!(3), &json!(0)));
    project.client.post(&format!("{address}/cancel"), &Value::Null).await.expect(202);
    assert_eq!(server.store.finish_batches(10).await.expect("finished").len(), 1);
    let batch = project.client.get(&address).await.expect(200).json();
    assert!(batch["finished_at"].is_string() && batch["cancelled"] == 3, "{batch}");
}

#[tokio::test]
async fn batches_are_listed_page_by_page() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut ids = vec![];
    for _ in 0..3 {
        ids.insert(0, submit(&project, 1).await);
    }
    let mut next = Some(format!("/api/batches?project_id={}&limit=2", project.id));
    let mut seen = vec![];
    while let Some(path) = next {
        let page = project.client.get(&path).await.expect(200).json();
        seen.extend(page["items"].as_array().expect("items").iter().map(|item| id_of(item).to_owned()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn one_mistake_anywhere_and_nothing_is_accepted() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut batch = body(&project, 3);
    batch["reconciliations"][1]["right_source_id"] = json!(project.left);
    batch["reconciliations"][2]["left_source_id"] = json!(JobId::new().to_string());
    let mistakes = project.client.post("/api/batches", &batch).await.mistakes();
    let places: Vec<_> = mistakes.iter().map(|(place, code)| (place.as_str(), code.as_str())).collect();
    assert_eq!(
        places,
        [
            ("#/reconciliations/1/right_source_id", "same_source"),
            ("#/reconciliations/2/left_source_id", "unknown")
        ]
    );
    for (name, value, code) in [
        ("name", json!(""), "too_short"),
        ("reconciliations", json!([]), "too_few"),
        ("reconciliations", json!([{"left_source_id": 7}]), "missing"),
        ("reconciliations", json!(vec![json!({}); 1001]), "too_many"),
    ] {
        let mut wrong = body(&project, 1);
        wrong[name] = value;
        let mistakes = project.client.post("/api/batches", &wrong).await.mistakes();
        assert!(mistakes.iter().any(|(_, found)| found == code), "{code}: {mistakes:?}");
    }
    assert_eq!(server.count("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM batches)").await, 0);
}

#[tokio::test]
async fn a_reconciliation_that_follows_comes_once_all_are_final() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let mut body = body(&project, 2);
    body["then"] = json!({"left_source_id": project.left, "right_source_id": project.left});
    let mistakes = project.client.post("/api/batches", &body).await.mistakes();
    assert_eq!(mistakes, [("#/then/right_source_id".to_owned(), "same_source".to_owned())]);
    body["then"] = json!({
        "name": "The year", "left_source_id": project.left, "right_source_id": project.right, "priority": 7,
    });
    let submitted = project.client.post("/api/batches", &body).await.expect(202).json();
    let follows: JobId = submitted["completion_job_id"].as_str().expect("an id").parse().expect("an id");
    project.client.get(&crate::server::job_path(follows, "")).await.problem(404, "not_found");
    let explained = project.client.get(&format!("/api/jobs/{follows}/explain")).await.expect(200).json();
    let reason = &explained["reasons"][0];
    assert_eq!(
        (&reason["reason"], &reason["unfinished"]),
        (&json!("follows_batch"), &json!(2)),
        "{explained}"
    );
    assert_eq!((&explained["state"], &reason["batch_id"]), (&Value::Null, &submitted["id"]));
    let stranger = server.log_in_as("john").await;
    stranger.get(&format!("/api/jobs/{follows}/explain")).await.problem(404, "not_found");

    let batch = submitted["status_url"].as_str().expect("an address");
    project.client.post(&format!("{batch}/cancel"), &Value::Null).await.expect(202);
    server.store.finish_batches(10).await.expect("finished");
    let run = project.client.get(&crate::server::job_path(follows, "")).await.expect(200).json();
    assert_eq!((&run["name"], &run["state"]), (&json!("The year"), &json!("available")));
    let batch = project.client.get(batch).await.expect(200).json();
    assert_eq!(batch["completion_job_id"], submitted["completion_job_id"]);
}

#[tokio::test]
async fn what_follows_comes_to_an_end_also_when_its_sources_are_gone() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let other =
        project.add_source("other.csv", crate::server::BANK, crate::server::mapping("description", "Text"));
    let other = other.await;
    let mut body = body(&project, 1);
    body["then"] = json!({"left_source_id": other, "right_source_id": project.right});
    let submitted = project.client.post("/api/batches", &body).await.expect(202).json();
    sqlx::query("DELETE FROM data_sources WHERE name = 'other.csv'")
        .execute(server.store.pool())
        .await
        .expect("deleted");
    let batch = submitted["status_url"].as_str().expect("an address");
    project.client.post(&format!("{batch}/cancel"), &Value::Null).await.expect(202);
    assert_eq!(server.store.finish_batches(10).await.expect("finished").len(), 1);
    let job = format!("/api/jobs/{}", submitted["completion_job_id"].as_str().expect("an id"));
    assert_eq!(project.client.get(&job).await.expect(200).json()["state"], "available");
}
