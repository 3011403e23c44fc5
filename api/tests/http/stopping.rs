//! Cancelling and deleting.

use crate::outcome::{Outcome, acquire, exception, finish, matched, rejected};
use crate::server::{Project, Server, job_path};
use serde_json::json;
use shared::store::jobs::{Finish, Held};
use std::time::Duration;

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    for _ in 0..2 {
        let answer = project.client.post(&job_path(id, "/cancel"), &json!({})).await.expect(202).json();
        assert_eq!(answer, json!({"id": id, "state": "cancelled"}));
    }
    let shown = project.client.get(&job_path(id, "")).await.expect(200).json();
    assert!(shown["cancel_requested_at"].is_string() && shown["finished_at"].is_string(), "{shown}");
}

#[tokio::test]
async fn a_running_job_is_asked_and_a_finished_one_stays() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let lease = acquire(&server.store, id).await;
    let answer = project.client.post(&job_path(id, "/cancel"), &json!({})).await.expect(202).json();
    assert_eq!(answer["state"], "running");
    let held = Held { job_id: id, fence: lease.fence, progress: None };
    let renewals = server.store.renew(&[held], Duration::from_secs(60)).await.expect("renewed");
    assert!(renewals[0].cancel_requested, "its worker is told");
    project.client.delete(&job_path(id, "")).await.problem(409, "not_finished");
    finish(&server.store, &lease, Finish::Cancelled).await;

    let done = project.submit().await;
    Outcome::default().write(&server.store, done).await;
    project.client.post(&job_path(done, "/cancel"), &json!({})).await.problem(409, "already_finished");
}

#[tokio::test]
async fn deleting_takes_the_results_along_and_nothing_else() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let outcome = || Outcome {
        matches: vec![matched(0, 1_000_000)],
        exceptions: vec![exception(0, "ambiguous")],
        rejected: vec![rejected(0)],
    };
    let (gone, kept, waiting) = (project.submit().await, project.submit().await, project.submit().await);
    outcome().write(&server.store, gone).await;
    outcome().write(&server.store, kept).await;
    project.client.delete(&job_path(waiting, "")).await.problem(409, "not_finished");
    let answer = project.client.delete(&job_path(gone, "")).await.expect(204);
    assert!(answer.body.is_empty());
    for _ in 0..2 {
        project.client.delete(&job_path(gone, "")).await.problem(404, "not_found");
        project.client.get(&job_path(gone, "")).await.problem(404, "not_found");
    }
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 2);
    for rows in [
        "SELECT count(*) FROM matches",
        "SELECT count(*) FROM exceptions",
        "SELECT count(*) FROM rejected_lines",
    ] {
        assert_eq!(server.count(rows).await, 1, "{rows}");
    }
    project.client.get(&job_path(kept, "/results")).await.expect(200);
}
