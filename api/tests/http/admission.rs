//! Submissions beyond the bounds: refused with a word on when to come back, and nothing stored.

use crate::server::{Project, Server, eventually, job_path};
use shared::store::queues::DispatchMark;

const SUBMIT: &str = "/api/reconciliation/jobs";

#[tokio::test]
async fn a_project_with_too_many_waiting_jobs_is_told_to_wait() {
    let server = Server::start_with(|config| config.backlog.project_jobs_max = 3).await;
    let (full, other) = (Project::make(&server, "jane").await, Project::make(&server, "john").await);
    let mut jobs = vec![];
    for _ in 0..3 {
        jobs.push(full.submit().await);
    }
    let answer = full.client.post(SUBMIT, &full.submission()).await;
    assert_eq!(answer.header("retry-after"), "30");
    answer.problem(429, "too_many_jobs");
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 3);
    other.submit().await;

    // Room is noticed with the next count.
    full.client.post(&job_path(jobs[0], "/cancel"), &serde_json::json!({})).await;
    eventually("there is room", async || full.client.post(SUBMIT, &full.submission()).await.status == 202)
        .await;
}

#[tokio::test]
async fn beyond_the_bound_for_all_nobody_gets_in() {
    let server = Server::start_with(|config| config.backlog.jobs_max = 2).await;
    let (one, other) = (Project::make(&server, "jane").await, Project::make(&server, "john").await);
    one.submit().await;
    other.submit().await;
    let answer = other.client.post(SUBMIT, &other.submission()).await;
    assert_eq!(answer.header("retry-after"), "30");
    answer.problem(503, "overloaded");
    assert_eq!(server.count("SELECT count(*) FROM jobs").await, 2);
}

#[tokio::test]
async fn a_relay_that_is_far_behind_stops_submissions_but_a_pause_does_not() {
    let server = Server::start_with(|config| config.backlog.lag_s_max = 60).await;
    let project = Project::make(&server, "jane").await;
    project.submit().await;
    sqlx::query("UPDATE outbox SET created_at = now() - interval '2 minutes'")
        .execute(server.store.pool())
        .await
        .expect("updated");
    let refused = async || project.client.post(SUBMIT, &project.submission()).await.status == 503;
    eventually("the lag is noticed", refused).await;

    let queue = shared::job::JobKind::RECONCILIATION.queue();
    server.store.pause_queue(&queue, "maintenance", "test").await.expect("paused");
    eventually("what waits on purpose is no lag", async || !refused().await).await;
    // Nor does it become one when the pause ends after a relay has once been at work.
    server.store.mark_dispatch(&[caught_up(&queue)]).await.expect("marked");
    server.store.resume_queue(&queue).await.expect("resumed");
    assert!(server.store.dispatch_lag_s().await.expect("asked") < 60.0);
}

fn caught_up(queue: &shared::queue::QueueName) -> DispatchMark {
    DispatchMark { queue: queue.clone(), is_caught_up: true, has_confirmed: false, trouble: None }
}
