//! Event streams.

use crate::client::Client;
use crate::outcome::{Outcome, acquire, finish};
use crate::server::{Project, Server, id_of, job_path};
use chrono::TimeDelta;
use serde_json::json;
use shared::job::{JobProgress, JobState};
use shared::store::jobs::{Finish, Held};
use shared::store::projects::ProjectRole;
use std::time::{Duration, Instant};

/// One or two seconds, and what a loaded machine takes to answer.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_stream_tells_every_change_until_the_end() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let path = job_path(id, "/events");
    let mut events = project.client.events(&path, None).await;
    assert_eq!((events.status, events.content_type.as_deref()), (200, Some("text/event-stream")));
    let first = events.next().await.expect("an event");
    assert_eq!(first.event, "state");
    assert_eq!(
        first.data,
        json!({"id": id, "state": "available", "attempt": 0, "error": null, "is_final": false})
    );

    let lease = acquire(&server.store, id).await;
    let running = events.next().await.expect("an event");
    assert_eq!((&running.data["state"], &running.data["attempt"]), (&json!("running"), &json!(1)));

    let progress = JobProgress { phase: "reading left".into(), percent: 12.5, rows_done: 1, rows_total: 8 };
    let held = Held { job_id: id, fence: lease.fence, progress: Some(progress) };
    server.store.renew(&[held], Duration::from_secs(60)).await.expect("renewed");
    let told = events.next().await.expect("an event");
    assert_eq!(told.event, "progress");
    assert_eq!(told.data, json!({"phase": "reading left", "percent": 12.5, "rows_done": 1, "rows_total": 8}));

    finish(&server.store, &lease, Finish::Retry { wait: Duration::ZERO, error: "the file is away".into() })
        .await;
    let waiting = events.next().await.expect("an event");
    assert_eq!(
        (&waiting.data["state"], &waiting.data["error"]),
        (&json!("scheduled"), &json!("the file is away"))
    );

    server.store.stage(10).await.expect("staged");
    Outcome::default().write(&server.store, id).await;
    let mut last = events.next().await.expect("an event");
    // How many of the states in between are seen is a matter of time.
    while last.data["is_final"] != json!(true) {
        last = events.next().await.expect("an event");
    }
    assert_eq!((&last.data["state"], &last.data["attempt"]), (&json!("completed"), &json!(2)));
    assert_eq!(events.next().await, None);

    // A client that comes back by itself is told to stay away; anybody else sees the end.
    assert_eq!(project.client.events(&path, Some(&last.id)).await.status, 204);
    let mut again = project.client.events(&path, Some(&first.id)).await;
    assert_eq!(again.next().await.expect("an event").data, last.data);
    assert_eq!(again.next().await, None);
}

#[tokio::test]
async fn all_watchers_of_a_job_see_its_end() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let (watched, other) = (project.submit().await, project.submit().await);
    let mut streams = vec![];
    for id in [watched, watched, watched, other] {
        let mut events = project.client.events(&job_path(id, "/events"), None).await;
        events.next().await.expect("the present state");
        streams.push(events);
    }
    assert_eq!(server.store.request_cancel(watched).await.expect("asked"), Some(JobState::Cancelled));
    for events in &mut streams[..3] {
        assert_eq!(events.next().await.expect("an event").data["state"], "cancelled");
        assert_eq!(events.next().await, None);
    }
    server.store.request_cancel(other).await.expect("asked");
    assert_eq!(streams[3].next().await.expect("an event").data["state"], "cancelled");
}

#[tokio::test]
async fn a_deleted_job_ends_its_streams() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let mut events = project.client.events(&job_path(id, "/events"), None).await;
    events.next().await.expect("the present state");
    sqlx::query("DELETE FROM jobs").execute(server.store.pool()).await.expect("deleted");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn streams_have_a_limit_and_give_their_place_back() {
    let server = Server::start_with(|config| config.http.event_streams_max = 2).await;
    let project = Project::make(&server, "jane").await;
    let path = job_path(project.submit().await, "/events");
    let mut first = project.client.events(&path, None).await;
    let second = project.client.events(&path, None).await;
    first.next().await.expect("the present state");
    let refused = project.client.get(&path).await;
    assert_eq!(refused.header("retry-after"), "5");
    refused.problem(503, "too_many_streams");
    drop(second);
    crate::server::eventually("there is a place again", async || {
        project.client.events(&path, None).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_stream_lasts_no_longer_than_its_token() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    server.clock.advance(TimeDelta::minutes(59) + TimeDelta::milliseconds(59_500));
    let mut events = project.client.events(&job_path(id, "/events"), None).await;
    events.next().await.expect("the present state");
    assert_eq!(events.next().await, None, "half a second was left");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::start().await;
    let project = Project::make(&server, "jane").await;
    let id = project.submit().await;
    let mut events = project.client.events(&job_path(id, "/events"), None).await;
    events.next().await.expect("the present state");
    server.stop.cancel();
    assert_eq!(events.next().await, None);
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.running).await;
    stopped.expect("long before the limit").expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_it_in_every_process() {
    let server = Server::start().await;
    let other = server.another(|_| ()).await;
    let (root, project) = (server.log_in_as_admin().await, Project::make(&server, "jane").await);
    let (ann, bob) = (server.log_in_as("ann").await, server.log_in_as("bob").await);
    let mut ids = vec![];
    for client in [&ann, &bob] {
        let me = client.get("/api/auth/me").await.expect(200).json();
        let id = id_of(&me).to_owned();
        let (project_id, user_id) = (project.id.parse().expect("an id"), id.parse().expect("an id"));
        server.store.set_project_member(project_id, user_id, ProjectRole::Viewer).await.expect("a member");
        ids.push(id);
    }
    let job = project.submit().await;
    let path = job_path(job, "/events");
    let open = async |client: &Client| {
        let mut events = client.events(&path, None).await;
        events.next().await.expect("the present state");
        events
    };
    let there = |client: &Client| Client { address: other.client.address, ..client.clone() };
    let mut stays = open(&there(&project.client)).await;

    let (mut shut_here, mut shut_there) = (open(&ann).await, open(&there(&ann)).await);
    root.post(&format!("/api/users/{}/disable", ids[0]), &json!(null)).await.expect(204);
    let shut_at = Instant::now();
    assert_eq!((shut_here.next().await, shut_there.next().await), (None, None));
    assert!(shut_at.elapsed() < SOON, "{:?}", shut_at.elapsed());

    let mut member = open(&there(&bob)).await;
    let membership = format!("/api/projects/{}/members/{}", project.id, ids[1]);
    project.client.delete(&membership).await.expect(204);
    assert_eq!(member.next().await, None);

    let again = server.log_in("jane").await;
    let mut session = open(&there(&again)).await;
    again.post("/api/auth/logout", &json!(null)).await.expect(204);
    assert_eq!(session.next().await, None);

    // Whose rights are what they were goes on watching.
    server.store.request_cancel(job).await.expect("asked");
    assert_eq!(stays.next().await.expect("an event").data["state"], "cancelled");
}
